//! Limits that a rate limit service keeps: a gateway as a process that asks another one. Budgets here do not refill
//! within a test, and the service has a second to answer: a busy machine changes nothing.

use crate::running::Running;
use crate::{folder, program, tidegate};
use serde_json::Value;
use std::thread;
use tempfile::TempDir;

const SERVICE: &str = "\
admin: { bind: 127.0.0.1:0 }
rate_limit_service: { bind: 127.0.0.1:0, config: [ratelimit/] }
telemetry: { access_log: off }
";

const RULES: &str = "\
domain: edge
descriptors:
  - key: x-user-id
    rate_limit: { unit: day, requests_per_unit: 5 }
    descriptors:
      - key: tier
        rate_limit: { unit: day, requests_per_unit: 2 }
  - key: generic_key
    value: all
    rate_limit: { unit: day, requests_per_unit: 3 }
";

const CONFIG: &str = "\
listeners: [{ bind: 127.0.0.1:0, identity_headers: [x-user-id, x-tier], trusted_peers: [127.0.0.1] }]
admin: { bind: 127.0.0.1:0 }
upstreams:
  echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
routes:
  - { path: /user, respond: { status: 204 }, limits: [user] }
  - { path: /both, respond: { status: 204 }, limits: [user, all] }
  - { path: /tier, respond: { status: 204 }, limits: [tier] }
  - { path: /told, respond: { status: 204 }, limits: [told] }
  - { path: /shadow, respond: { status: 204 }, limits: [shadow, user] }
  - { path: /unknown, respond: { status: 204 }, limits: [unknown] }
  - { path: /open, respond: { status: 204 }, limits: [open] }
  - { path: /share, respond: { status: 204 }, limits: [share] }
limits:
  user: { key: header:x-user-id, store: mesh, headers: always }
  all: { key: constant:all, store: mesh }
  tier: { key: [header:x-user-id, header:x-tier], descriptor: [x-user-id, tier], store: mesh }
  told: { key: header:x-user-id, descriptor: teller, rate: 2/h, store: mesh, overrides: { gold: { rate: 4/d } }, headers: always }
  shadow: { key: constant:all, store: mesh, cost: 4, shadow: true }
  unknown: { key: peer, store: mesh, headers: always }
  open: { key: constant:all, store: mesh, on_failure: open }
  share: { key: constant:share, rate: 40/d, store: mesh, on_failure: local_share }
stores:
  mesh: { url: 'rls://SERVICE', domain: edge, budget: 1s, nodes: 4 }
telemetry: { access_log: off }
";

struct Mesh {
    service: Option<Running>,
    gateway: Running,
    folders: [TempDir; 2],
}

impl Mesh {
    fn start(budget: &str) -> Self {
        let theirs = folder(&[("tidegate.yaml", SERVICE), ("ratelimit/edge.yaml", RULES)]);
        let service = Running::start_with(&mut program(theirs.path(), &["run"]), 2);
        let port = service.before.lines().find(|line| line.contains("the rate limit service listens")).expect("a line");
        let port = port.split(" on http://").nth(1).and_then(|rest| rest.split('"').next()).expect("an address");
        let config = CONFIG.replace("SERVICE", port).replace("budget: 1s", &format!("budget: {budget}"));
        let ours = folder(&[("tidegate.yaml", &config)]);
        let gateway = Running::start_with(&mut program(ours.path(), &["run"]), 2);
        Self { service: Some(service), gateway, folders: [theirs, ours] }
    }

    fn signal(&self, name: &str) {
        self.service.as_ref().expect("it runs").signal(name);
    }

    /// The whole answer.
    fn ask(&self, path: &str, user: &str) -> String {
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-user-id: {user}\r\nx-tier: t\r\n\r\n");
        self.gateway.ask(0, &head)
    }

    fn statuses(&self, path: &str, user: &str, times: usize) -> Vec<u16> {
        (0..times).map(|_| status(&self.ask(path, user))).collect()
    }

    fn store(&self) -> Value {
        let answer = self.gateway.get(1, "/api/v1/limits");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        serde_json::from_str::<Value>(body).expect("JSON")["stores"][0].clone()
    }

    /// `tidegate limits …`: the exit code, and each line by its words.
    fn limits(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let admin = self.gateway.addresses[1].as_str();
        let (code, out, err) = tidegate(self.folders[1].path(), &[&["limits", "--admin", admin], arguments].concat());
        (code, (out + &err).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn header(answer: &str, name: &str) -> Option<String> {
    let head = answer.split("\r\n\r\n").next()?.to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
}

/// What a field tells of a limit: what is before `;t=`, and the seconds behind it.
fn told(answer: &str) -> (String, u64) {
    let field = header(answer, "ratelimit").expect("the field");
    let (told, seconds) = field.split_once(";t=").expect("a time");
    (told.to_owned(), seconds.parse().expect("seconds"))
}

#[test]
fn what_the_service_decides_is_enforced_and_told() {
    let mesh = Mesh::start("1s");
    let first = mesh.ask("/user", "alice");
    assert_eq!((status(&first), header(&first, "ratelimit-policy").as_deref()), (204, Some(r#""user";q=5;w=86400"#)));
    assert_eq!(told(&first).0, r#""user";r=4"#);
    assert_eq!(mesh.statuses("/user", "alice", 5), [204, 204, 204, 204, 429]);
    let refused = mesh.ask("/user", "alice");
    let (remaining, seconds) = told(&refused);
    assert_eq!(remaining, r#""user";r=0"#);
    assert!((80_000..=90_000).contains(&seconds), "{seconds}");
    assert_eq!(header(&refused, "retry-after"), Some(seconds.to_string()));
    let message = format!("the limit `user` is reached: try again in {seconds} s");
    assert!(refused.contains(&message), "{refused}");
    assert_eq!(mesh.statuses("/user", "bob", 6), [204, 204, 204, 204, 204, 429], "somebody else's budget");
    assert_eq!(mesh.statuses("/tier", "carol", 3), [204, 204, 429], "entries in their order");
    let passes = mesh.ask("/unknown", "alice");
    assert_eq!((status(&passes), header(&passes, "ratelimit")), (204, None), "a limit that the service does not have");
}

#[test]
fn a_quota_of_the_rule_is_sent_along() {
    let mesh = Mesh::start("1s");
    let policy = |answer: &str| header(answer, "ratelimit-policy");
    assert_eq!(mesh.statuses("/told", "alice", 3), [204, 204, 429]);
    assert_eq!(policy(&mesh.ask("/told", "alice")).as_deref(), Some(r#""told";q=2;w=3600"#));
    assert_eq!(mesh.statuses("/told", "gold", 5), [204, 204, 204, 204, 429]);
    assert_eq!(policy(&mesh.ask("/told", "gold")).as_deref(), Some(r#""told";q=4;w=86400"#));
}

#[test]
fn limits_of_one_request_are_one_call_and_a_shadow_keeps_nothing_from_being_counted() {
    let mesh = Mesh::start("1s");
    assert_eq!(mesh.statuses("/both", "alice", 4), [204, 204, 204, 429]);
    let store = mesh.store();
    assert_eq!((&store["asked"], &store["batches"], &store["connections"]), (&8.into(), &4.into(), &1.into()));
    assert_eq!(mesh.statuses("/user", "alice", 3), [204, 204, 429], "what `all` refused cost nothing");
    assert_eq!(mesh.statuses("/shadow", "bob", 6), [204, 204, 204, 204, 204, 429]);
    let (code, shown) = mesh.limits(&["shadow", "--top"]);
    assert_eq!((code, shown), (0, vec!["KEY REFUSED".to_owned(), "all 6".to_owned()]));
}

#[test]
fn an_operator_sees_what_the_gateway_knows() {
    let mesh = Mesh::start("1s");
    assert_eq!(mesh.statuses("/user", "alice", 6)[5], 429);
    let want = [
        "limit user",
        "key header:x-user-id",
        "quota the service's",
        "admitted 5",
        "refused 1",
        "shadow 0",
        "store mesh, in use",
        "on failure closed",
        "unanswered 0",
    ];
    assert_eq!(mesh.limits(&["user"]), (0, want.map(str::to_owned).to_vec()));
    let (_, shown) = mesh.limits(&["user", "alice"]);
    let only = "the rate limit service `mesh` keeps it: only there can it be";
    assert_eq!(shown[3], format!("remaining unknown: {only} looked at"));
    let (code, shown) = mesh.limits(&["user", "alice", "--reset"]);
    assert_eq!((code, shown), (78, vec![format!("error: {only} made whole")]));
    let (_, list) = mesh.limits(&[]);
    assert!(list.contains(&"told header:x-user-id 2/h, told 0 0 in mesh".to_owned()), "{list:?}");
    let store = list.iter().find(|line| line.starts_with("mesh rls://127.0.0.1:")).expect("the store");
    assert!(store.contains(" in use 6 6 0 "), "{store}");
}

#[test]
fn a_service_that_hangs_or_is_gone_leaves_each_limit_to_its_policy() {
    let mut mesh = Mesh::start("100ms");
    while mesh.statuses("/unknown", "alice", 1) != [204] {
        thread::yield_now();
    }
    mesh.signal("STOP");
    let policies_hold = |mesh: &Mesh| {
        let closed = mesh.ask("/user", "dora");
        assert_eq!((status(&closed), header(&closed, "retry-after").as_deref()), (503, Some("1")));
        let message = "the limit `user` cannot be asked: its store `mesh` does not answer";
        assert!(closed.contains(message), "{closed}");
        assert_eq!(header(&closed, "ratelimit"), None, "nobody knows");
        assert_eq!(mesh.statuses("/open", "alice", 5), [204; 5]);
        let share = mesh.ask("/share", "alice");
        assert_eq!(status(&share), 429, "a share begins empty");
        assert!(share.contains("the limit `share` is reached"), "{share}");
    };
    policies_hold(&mesh);
    let down = mesh.gateway.wait_for_log("a store of limits does not answer");
    assert!(down.contains("no answer from 127.0.0.1:"), "{down}");
    // A connection without answers is given up after a second, and another one is made.
    while mesh.store()["connections"] == 1 {
        mesh.ask("/open", "alice");
    }
    mesh.signal("CONT");
    while mesh.statuses("/user", "erin", 1) == [503] {}
    mesh.gateway.wait_for_log("the store of limits answers again");
    mesh.service = None;
    while mesh.statuses("/user", "erin", 1) != [503] {}
    policies_hold(&mesh);
    let down = mesh.gateway.wait_for_log("a store of limits does not answer");
    assert!(down.contains("127.0.0.1:"), "{down}");
}

#[test]
fn a_certificate_of_a_store_that_changes_is_taken_and_a_wrong_one_changes_nothing() {
    let config = CONFIG.replace("rls://SERVICE', ", "rlss://127.0.0.1:1', ca: ca.pem, ");
    let pem = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate").cert.pem();
    let here = folder(&[("tidegate.yaml", &config), ("ca.pem", &pem())]);
    let mut gateway = Running::start_with(&mut program(here.path(), &["run"]), 2);
    crate::replace(here.path().join("ca.pem"), pem());
    gateway.wait_for_log("the config is in force");
    crate::replace(here.path().join("ca.pem"), "nothing");
    let line = gateway.wait_for_log("has no certificate in PEM");
    assert!(line.contains("ca.pem"), "{line}");
}

#[test]
fn check_asks_no_service_and_tells_what_is_wrong_with_its_url() {
    let config = CONFIG.replace("SERVICE", "limits");
    let here = folder(&[("tidegate.yaml", &config)]);
    let (code, _, err) = tidegate(here.path(), &["check"]);
    assert!(code == 0 && !err.contains("error"), "{err}");
    for (url, message) in [
        ("rls://", "it names no host"),
        ("rls://limits/edge", "it ends with the port: the domain is a key of its own"),
        ("rlss://me@limits", "it has an @: a rate limit service knows no users"),
    ] {
        let wrong = config.replace("rls://limits", url);
        let here = folder(&[("tidegate.yaml", &wrong)]);
        let (code, _, err) = tidegate(here.path(), &["check"]);
        let want = format!("error: the URL of the store `mesh` cannot be used: {message}\n  --> tidegate.yaml:24:16\n");
        assert!(code == 78 && err.starts_with(&want), "{err}");
    }
}
