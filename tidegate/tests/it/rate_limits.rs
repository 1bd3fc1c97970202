//! Rate limits over real sockets, and what an operator sees and does. Budgets here do not refill within a test.

use crate::running::Running;
use crate::{folder, program, replace, tidegate};
use tempfile::TempDir;

const CONFIG: &str = "\
listeners: [{ bind: 127.0.0.1:0, identity_headers: [x-user-id], trusted_peers: [127.0.0.1], limits: [per-ip] }]
admin: { bind: 127.0.0.1:0 }
upstreams:
  echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
routes:
  - { service: demo.v1.Echo, upstream: echo, limits: [per-text] }
  - { path: /ok, respond: { status: 204 }, limits: [per-user] }
limits:
  per-ip: { key: peer, rate: 1000/d, algorithm: sliding_window, shadow: true }
  per-user: { key: header:x-user-id, rate: 2/d, overrides: { gold: { rate: 5/d } } }
  per-text: { key: path:text, rate: 1/d, cost: 1 }
telemetry: { access_log: { format: json, to: stdout } }
";

struct Gateway {
    running: Running,
    folder: TempDir,
}

impl Gateway {
    fn start() -> Self {
        let folder = folder(&[("tidegate.yaml", CONFIG)]);
        let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
        Self { running, folder }
    }

    /// The status of the answer, and its head in lower case.
    fn ask(&self, path: &str, user: &str) -> (u16, String) {
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-user-id: {user}\r\n\r\n");
        let answer = self.running.ask(0, &head);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase())
    }

    fn statuses(&self, user: &str, times: usize) -> Vec<u16> {
        (0..times).map(|_| self.ask("/ok", user).0).collect()
    }

    /// `tidegate limits …`: exit code, standard output, standard error.
    fn limits(&self, arguments: &[&str]) -> (i32, String, String) {
        let admin = self.running.addresses[1].as_str();
        tidegate(self.folder.path(), &[&["limits", "--admin", admin], arguments].concat())
    }
}

#[test]
fn who_is_over_the_limit_is_refused_and_an_operator_sees_it_and_helps() {
    let gateway = Gateway::start();
    assert_eq!(gateway.statuses("alice", 3), [204, 204, 429]);
    let (_, head) = gateway.ask("/ok", "alice");
    let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
    assert_eq!(line("ratelimit-policy:").as_deref(), Some(r#""per-user";q=2;w=86400"#));
    let retry: u64 = line("retry-after:").and_then(|value| value.parse().ok()).expect("a number");
    assert!((40_000..=43_200).contains(&retry), "{retry}");
    assert_eq!(line("ratelimit:"), Some(format!(r#""per-user";r=0;t={retry}"#)));
    assert_eq!(gateway.statuses("gold", 6), [204, 204, 204, 204, 204, 429]);
    let (code, out, err) = gateway.limits(&[]);
    let want = "\
LIMIT     KEY               QUOTA                         ADMITTED  REFUSED    KEYS
per-ip    peer              sliding_window 1000/d         10        shadow: 0  1 of 65536
per-user  header:x-user-id  token_bucket 2/d, burst 2     7         3          2 of 65536
per-text  path:text         token_bucket 1/d, burst 1     0         0          0 of 65536
"
    .replace("2     7", "2 7");
    let squeezed =
        |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!((code, squeezed(&out), err.as_str()), (0, squeezed(&want), ""));
    let (code, out, _) = gateway.limits(&["per-user", "alice", "--reset"]);
    assert_eq!((code, squeezed(&out)[3].as_str()), (0, "remaining 2"));
    assert_eq!(gateway.statuses("alice", 3), [204, 204, 429]);
    let (code, out, _) = gateway.limits(&["per-user", "gold"]);
    let out = squeezed(&out);
    assert_eq!((code, out[2].as_str(), out[3].as_str()), (0, "quota token_bucket 5/d, burst 5", "remaining 0"));
}

#[test]
fn a_name_or_a_key_that_there_is_not_is_told() {
    let gateway = Gateway::start();
    let told = |arguments: &[&str]| {
        let (code, out, err) = gateway.limits(arguments);
        assert_eq!(out, "");
        (code, err)
    };
    assert_eq!(told(&["per-usr"]), (1, "error: there is no limit `per-usr`; see /api/v1/limits\n".into()));
    let want = "error: the limit `per-user` has 1 values for each budget (header:x-user-id), not 2: send `key=VALUE` for each\n";
    assert_eq!(told(&["per-user", "a", "b"]), (78, want.into()));
    let want = want.replace("not 2", "not 0");
    assert_eq!(told(&["per-user", "--reset"]), (78, want));
    let (status, _) = gateway.running.post(1, "/api/v1/limits/per-user", "", "");
    assert_eq!(status, 405);
}

#[test]
fn what_was_used_survives_a_change_of_the_config() {
    let mut gateway = Gateway::start();
    assert_eq!(gateway.statuses("alice", 3), [204, 204, 429]);
    replace(
        gateway.folder.path().join("tidegate.yaml"),
        CONFIG.replace("key: header:x-user-id, rate: 2/d", "key: header:x-user-id, rate: 2/d, burst: 3"),
    );
    gateway.running.wait_for_log("the config is in force");
    assert_eq!(gateway.statuses("alice", 2), [204, 429], "one more, not three");
}

#[test]
fn check_finds_what_only_the_schema_can_tell() {
    let wrong = CONFIG.replace("path:text", "path:txt");
    let folder = folder(&[("tidegate.yaml", &wrong)]);
    let (code, _, err) = tidegate(folder.path(), &["check"]);
    let want = "\
error: no http rule of `demo.v1.Echo` has the path variable `txt`
  --> tidegate.yaml:11:20
   |
11 |   per-text: { key: path:txt, rate: 1/d, cost: 1 }
   |                    ^^^^^^^^
   = help: did you mean `path:text`?

tidegate.yaml: 1 error
";
    assert_eq!((code, err.as_str()), (78, want));
}
