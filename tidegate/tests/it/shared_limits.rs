//! Limits that gateways share, in a real Redis: gateways as processes, a store that is not well. Budgets here do not
//! refill within a test, and the store has a second to answer: a busy machine changes nothing.

mod unwell;

use crate::running::Running;
use crate::{folder, program, replace, tidegate};
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use tempfile::TempDir;
use tidegate_source_rig::redis::{Program, Redis};

const CONFIG: &str = "\
listeners: [{ bind: 127.0.0.1:0, identity_headers: [x-user-id], trusted_peers: [127.0.0.1] }]
admin: { bind: 127.0.0.1:0 }
upstreams:
  echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
routes:
  - { path: /shared, respond: { status: 204 }, limits: [shared] }
  - { path: /wide, respond: { status: 204 }, limits: [own, wide, narrow] }
  - { path: /window, respond: { status: 204 }, limits: [window] }
  - { path: /closed, respond: { status: 204 }, limits: [closed] }
  - { path: /open, respond: { status: 204 }, limits: [open] }
  - { path: /share, respond: { status: 204 }, limits: [share] }
  - { path: /reserve, respond: { status: 204 }, limits: [reserve] }
  - { path: /shadow, respond: { status: 204 }, limits: [shadow] }
  - { path: /turns, respond: { status: 204 }, limits: [turns] }
limits:
  shared: { key: header:x-user-id, rate: 20/d, store: redis, headers: always }
  own: { rate: 3/d }
  wide: { key: header:x-user-id, rate: 10/d, store: redis }
  narrow: { key: header:x-user-id, rate: 1/d, store: redis }
  window: { rate: 5/d, algorithm: sliding_window, store: redis }
  closed: { rate: 1000/d, store: redis }
  open: { rate: 1000/d, store: redis, on_failure: open }
  share: { rate: 1/d, burst: 40, store: redis, on_failure: local_share }
  reserve: { rate: 1000/d, store: redis, on_failure: { reserve: 40% } }
  shadow: { rate: 1/d, store: redis, shadow: true }
  turns: { rate: 1/d, queue: 3, algorithm: leaky_bucket, store: redis }
stores:
  redis: { url: 'redis://127.0.0.1:PORT', budget: 1s, nodes: 4, after_loss: whole }
telemetry: { access_log: off }
";

struct Gateway {
    running: Running,
    folder: TempDir,
    config: String,
}

impl Gateway {
    fn start(redis: &Redis) -> Self {
        Self::with(CONFIG.replace("PORT", &redis.port().to_string()))
    }

    fn with(config: String) -> Self {
        let folder = folder(&[("tidegate.yaml", &config)]);
        let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
        Self { running, folder, config }
    }

    /// The whole answer.
    fn ask(&self, path: &str, user: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-user-id: {user}\r\n\r\n");
        self.running.ask(0, &head)
    }

    fn status(&self, path: &str) -> u16 {
        status(&self.ask(path, "alice"))
    }

    fn statuses(&self, path: &str, times: usize) -> Vec<u16> {
        (0..times).map(|_| self.status(path)).collect()
    }

    /// Asks until the status is another one, and gives it.
    fn until(&self, path: &str, wanted: u16) {
        while self.status(path) != wanted {
            thread::yield_now();
        }
    }

    /// `tidegate limits …`: each line by its words.
    fn limits(&self, arguments: &[&str]) -> Vec<String> {
        let admin = self.running.addresses[1].as_str();
        let (code, out, err) = tidegate(self.folder.path(), &[&["limits", "--admin", admin], arguments].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    fn remaining(&self, limit: &str, key: &[&str]) -> String {
        self.limits(&[&[limit], key].concat())[3].clone()
    }

    fn store(&self) -> Value {
        let answer = self.running.get(1, "/api/v1/limits");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        serde_json::from_str::<Value>(body).expect("JSON")["stores"][0].clone()
    }

    /// What the metrics with this beginning are, by what stands behind it.
    fn metrics(&self, beginning: &str) -> BTreeMap<String, String> {
        let text = self.running.get(1, "/metrics");
        let lines = text.lines().filter_map(|line| line.strip_prefix(beginning)?.rsplit_once(' '));
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn header(answer: &str, name: &str) -> Option<String> {
    let head = answer.split("\r\n\r\n").next()?.to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
}

#[test]
fn two_gateways_share_one_limit_exactly() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let gateways = [Gateway::start(&redis), Gateway::start(&redis)];
    let admitted: usize = thread::scope(|scope| {
        let ask = |gateway| move || Gateway::statuses(gateway, "/shared", 15).iter().filter(|s| **s == 204).count();
        let asks: Vec<_> = gateways.iter().flat_map(|gateway| [gateway; 2]).map(|one| scope.spawn(ask(one))).collect();
        asks.into_iter().map(|ask| ask.join().expect("no panic")).sum()
    });
    assert_eq!(admitted, 20, "of 60");
    for gateway in &gateways {
        let answer = gateway.ask("/shared", "alice");
        assert_eq!(status(&answer), 429);
        assert_eq!(header(&answer, "ratelimit-policy").as_deref(), Some(r#""shared";q=20;w=86400"#));
        let retry: u64 = header(&answer, "retry-after").and_then(|value| value.parse().ok()).expect("a number");
        assert!((4000..=4320).contains(&retry), "{retry}");
        assert_eq!(header(&answer, "ratelimit"), Some(format!(r#""shared";r=0;t={retry}"#)));
        assert_eq!(status(&gateway.ask("/shared", "bob")), 204, "somebody else's budget");
        assert_eq!(gateway.remaining("shared", &["alice"]), "remaining 0");
    }
    assert_eq!(gateways[0].remaining("shared", &["bob"]), "remaining 18");
    assert_eq!(gateways[1].statuses("/window", 3), [204, 204, 204]);
    assert_eq!(gateways[0].statuses("/window", 3), [204, 204, 429]);
}

#[test]
fn what_one_limit_refuses_costs_the_others_nothing() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let gateway = Gateway::start(&redis);
    assert_eq!(gateway.statuses("/wide", 4), [204, 429, 429, 429]);
    assert_eq!(gateway.remaining("own", &[]), "remaining 2");
    // It goes back with the next message.
    while gateway.remaining("wide", &["alice"]) != "remaining 9" {
        thread::yield_now();
    }
    assert_eq!(status(&gateway.ask("/wide", "bob")), 204);
    assert_eq!(status(&gateway.ask("/wide", "carol")), 204);
    let refused = gateway.ask("/wide", "dora");
    assert!(refused.contains("the limit `own` is reached"), "{refused}");
    assert_eq!(gateway.remaining("narrow", &["dora"]), "remaining 1", "it was not asked");
}

#[test]
fn an_operator_sees_a_shared_budget_and_makes_it_whole_for_all() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let gateways = [Gateway::start(&redis), Gateway::start(&redis)];
    assert_eq!(gateways[0].statuses("/window", 6), [204, 204, 204, 204, 204, 429]);
    assert_eq!(gateways[1].status("/window"), 429);
    assert_eq!(gateways[1].limits(&["window", "--reset"])[3], "remaining 5");
    // A refusal is repeated for a second.
    gateways.iter().for_each(|gateway| gateway.until("/window", 204));
    assert_eq!(gateways[0].remaining("window", &[]), "remaining 3");
    assert_eq!(gateways[0].statuses("/shared", 21)[20], 429);
    assert_eq!(gateways[0].limits(&["shared", "alice", "--reset"])[3], "remaining 20");
    assert_eq!(gateways[0].limits(&["shared", "--top"]), ["KEY REFUSED", "alice 1"]);
    assert_eq!(gateways[1].limits(&["shared", "--top"]), ["the limit `shared` refused nobody yet"]);
    let shown = gateways[0].limits(&["shared"]);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let want = [
        "limit shared",
        "key header:x-user-id",
        "quota token_bucket 20/d, burst 20",
        "admitted 20",
        "refused 1",
        "shadow 0",
        "store redis, in use",
        "on failure closed",
        "unanswered 0",
    ];
    assert_eq!(shown, want);
    let list = gateways[0].limits(&[]);
    assert!(list.contains(&"shared header:x-user-id token_bucket 20/d, burst 20 20 1 in redis".to_owned()), "{list:?}");
    let store = list.iter().find(|line| line.starts_with("redis redis://127.0.0.1:")).expect("the store");
    assert!(store.contains(" in use "), "{store}");
}

#[test]
fn a_store_that_is_said_as_before_stays_open_when_the_config_changes() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let mut gateway = Gateway::start(&redis);
    assert_eq!(gateway.statuses("/window", 5), [204; 5]);
    let before = gateway.store();
    let changed = gateway.config.replace("rate: 5/d, algo", "rate: 6/d, algo").replace("nodes: 4", "nodes: 5");
    replace(gateway.folder.path().join("tidegate.yaml"), format!("# moved by a line\n{changed}"));
    gateway.running.wait_for_log("the config is in force");
    let store = gateway.store();
    assert_eq!((&store["asked"], &store["connections"]), (&before["asked"], &before["connections"]));
    assert_eq!(gateway.statuses("/window", 2), [204, 429], "what was used stays used");
    let other = changed.replace("budget: 1s", "budget: 900ms");
    replace(gateway.folder.path().join("tidegate.yaml"), other);
    gateway.running.wait_for_log("the config is in force");
    assert_eq!(gateway.store()["asked"], 0, "another store, as far as this process knows");
    assert_eq!(gateway.status("/window"), 429, "and the same budgets");
}

#[test]
fn a_shared_limit_in_shadow_mode_refuses_nobody_and_turns_are_waited_for() {
    let Some(redis) = Redis::start(Program::Redis7) else { return };
    let gateway = Gateway::start(&redis);
    assert_eq!(gateway.statuses("/shadow", 3), [204; 3]);
    assert_eq!(gateway.limits(&["shadow", "--top"]), ["KEY REFUSED", "- 2"]);
    // The first one's turn is at once; the next one's in a day, which is later than anybody waits.
    let answers = [gateway.ask("/turns", "alice"), gateway.ask("/turns", "alice")];
    assert_eq!(answers.each_ref().map(|answer| status(answer)), [204, 429]);
    assert!(answers[1].contains("the limit `turns` is reached: try again in 86400 s"), "{}", answers[1]);
    while gateway.remaining("turns", &[]) != "remaining 3" {
        thread::yield_now();
    }
    let stores = gateway.metrics("tidegate_limit_store_");
    assert_eq!(stores.get("down{store=\"redis\"}").map(String::as_str), Some("0"));
    assert_eq!(stores.get("asked_total{store=\"redis\"}").map(String::as_str), Some("5"));
    assert!(stores.contains_key("latency_seconds_bucket{le=\"+Inf\",store=\"redis\"}"), "{stores:?}");
    let unanswered = gateway.metrics("tidegate_rate_limit_unanswered_total");
    assert_eq!(unanswered.get("{limit=\"shadow\"}").map(String::as_str), Some("0"));
}

#[test]
fn check_asks_no_store_and_tells_what_is_wrong_with_its_url() {
    let config = CONFIG.replace("PORT", "1");
    let here = folder(&[("tidegate.yaml", &config)]);
    assert_eq!(tidegate(here.path(), &["check"]).0, 0);
    for (url, message) in [
        ("redis://me:pa/ss@host", "it has an @ behind a slash: a password with / is written %2F, with @ %40"),
        ("rediss://", "it names no host"),
        ("redis://a,b", "2 hosts: several are redis-sentinel:// or redis-cluster://"),
    ] {
        let wrong = config.replace("redis://127.0.0.1:1", url);
        let here = folder(&[("tidegate.yaml", &wrong)]);
        let (code, _, err) = tidegate(here.path(), &["check"]);
        let want =
            format!("error: the URL of the store `redis` cannot be used: {message}\n  --> tidegate.yaml:28:17\n");
        assert!(code == 78 && err.starts_with(&want), "{err}");
    }
}
