//! A real Envoy that asks the rate limit service, with the files of `deploy/envoy` as they are shipped: only the ports
//! are other ones, and the time that Envoy waits is longer, for machines that are busy.

use crate::running::Running;
use crate::{folder, program, replace};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate_source_rig::envoy::Envoy;

/// What Envoy is in front of.
const SERVICE: &str = "\
listeners: [{ bind: 127.0.0.1:0 }]
upstreams:
  echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
routes:
  - { service: demo.v1.Echo, upstream: echo }
  - { path: /*, respond: { status: 204 } }
";

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/envoy")
}

/// A file of `deploy/envoy`, with each of these in the place of what is there; all of them are there.
#[track_caller]
fn with(file: &str, changes: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(shipped().join(file)).expect("the file is shipped");
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{file} has no {from}");
        text.replace(from, to)
    })
}

/// The service, ours and Envoy.
struct Mesh {
    _service: Running,
    ours: Option<Running>,
    envoy: SocketAddr,
    _envoy: Envoy,
    _folders: [TempDir; 2],
}

impl Mesh {
    /// `None` where there is no Envoy.
    fn start(deny: &str) -> Option<Self> {
        let service_folder = folder(&[("tidegate.yaml", SERVICE)]);
        let service = Running::start(program(service_folder.path(), &["run"]));
        let rules = with("ratelimit/edge.yaml", &[]);
        let config = with("tidegate.yaml", &[("127.0.0.1:9901", "127.0.0.1:0"), ("127.0.0.1:8081", "127.0.0.1:0")]);
        let ours_folder = folder(&[("tidegate.yaml", &config), ("ratelimit/edge.yaml", &rules)]);
        let ours = Running::start_with(&mut program(ours_folder.path(), &["run"]), 2);
        let port = |running: &Running| {
            let port = running.addresses[0].rsplit(':').next().expect("a port");
            format!("port_value: {port}")
        };
        let config = with(
            "envoy.yaml",
            &[
                ("port_value: 9902", "port_value: 0"),
                ("address: 0.0.0.0, port_value: 10000", "address: 127.0.0.1, port_value: 0"),
                ("port_value: 8081", &port(&ours)),
                ("port_value: 8000", &port(&service)),
                ("timeout: 0.05s", "timeout: 10s"),
                ("failure_mode_deny: false", &format!("failure_mode_deny: {deny}")),
            ],
        );
        let envoy = Envoy::start(&config)?;
        let address = envoy.listener("front");
        let folders = [service_folder, ours_folder];
        Some(Self { _service: service, ours: Some(ours), envoy: address, _envoy: envoy, _folders: folders })
    }

    /// Status, and the headers that tell of limits, in their order.
    fn ask(&self, path: &str, user: &str) -> (u16, Vec<String>) {
        let mut stream = TcpStream::connect(self.envoy).expect("Envoy listens");
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-user-id: {user}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer of text");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut told: Vec<String> =
            answer.lines().filter(|line| line.contains("ratelimit")).map(|line| line.trim().to_owned()).collect();
        told.sort();
        (status, told)
    }

    fn statuses(&self, path: &str, user: &str, times: usize) -> Vec<u16> {
        (0..times).map(|_| self.ask(path, user).0).collect()
    }
}

/// So many of the one, and then so many of the other.
fn then(first: (usize, u16), second: (usize, u16)) -> Vec<u16> {
    [vec![first.1; first.0], vec![second.1; second.0]].concat()
}

#[test]
fn envoy_enforces_global_and_local_limits_exactly_as_they_are_shipped() {
    let Some(mesh) = Mesh::start("false") else { return };
    let (status, told) = mesh.ask("/orders", "alice");
    // The minute, and the part of it in which the request was.
    let headers = |remaining: &str| {
        vec![
            "x-ratelimit-limit: 10, 10;w=60, 600;w=60".to_owned(),
            format!("x-ratelimit-remaining: {remaining}"),
            "x-ratelimit-reset: ".to_owned(),
        ]
    };
    let split = |told: Vec<String>| -> (Vec<String>, u64) {
        let reset = told.iter().find_map(|line| line.strip_prefix("x-ratelimit-reset: ")).expect("a reset");
        let reset = reset.parse().expect("seconds");
        let cut = |line: String| if line.starts_with("x-ratelimit-reset") { line[..19].to_owned() } else { line };
        (told.into_iter().map(cut).collect(), reset)
    };
    let (told, reset) = split(told);
    assert_eq!((status, told), (204, headers("9")));
    assert!((60..=63).contains(&reset), "{reset}");
    assert_eq!(mesh.statuses("/orders", "alice", 12), then((9, 204), (3, 429)));
    let (status, told) = mesh.ask("/orders", "alice");
    let (told, reset) = split(told);
    let refused = [vec!["x-envoy-ratelimited: true".to_owned()], headers("0")].concat();
    assert_eq!((status, told), (429, refused));
    assert!((1..=63).contains(&reset), "{reset}");
    assert_eq!(mesh.statuses("/orders", "bob", 11), then((10, 204), (1, 429)));
    assert_eq!(mesh.statuses("/orders", "gold-1", 101), then((100, 204), (1, 429)));
    assert_eq!(mesh.statuses("/login", "carol", 8), then((5, 204), (3, 429)), "each Envoy counts these itself");
    let metrics = mesh.ours.as_ref().expect("it runs").get(1, "/metrics");
    let count = |limit: &str, decision: &str| {
        let labels = format!("{{domain=\"edge\",limit=\"{limit}\",decision=\"{decision}\"}} ");
        let found = metrics.lines().find_map(|line| line.split_once(&labels).map(|(_, count)| count.to_owned()));
        found.unwrap_or_else(|| panic!("no {labels}"))
    };
    assert_eq!((count("user", "admitted"), count("user", "over_limit")), ("20".to_owned(), "5".to_owned()));
    assert_eq!((count("user_gold-*", "admitted"), count("user_gold-*", "over_limit")), ("100".into(), "1".into()));
}

#[test]
fn without_the_service_envoys_own_failure_policy_applies() {
    for (deny, status) in [("false", 204), ("true", 500)] {
        let Some(mut mesh) = Mesh::start(deny) else { return };
        assert_eq!(mesh.statuses("/orders", "alice", 12), then((10, 204), (2, 429)), "deny: {deny}");
        drop(mesh.ours.take());
        assert_eq!(mesh.statuses("/orders", "alice", 12), vec![status; 12], "deny: {deny}");
    }
}

#[test]
fn rules_change_while_it_serves_and_bad_ones_change_nothing() {
    let config = "admin: { bind: 127.0.0.1:0 }\nrate_limit_service: { bind: 127.0.0.1:0, config: [rules] }\n";
    let rules = |key: &str, unit: &str| {
        format!("domain: d\ndescriptors: [{{ key: {key}, rate_limit: {{ unit: {unit}, requests_per_unit: 1 }} }}]\n")
    };
    let folder = folder(&[("tidegate.yaml", config), ("rules/a.yaml", &rules("first", "day"))]);
    let mut running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
    let has = |running: &Running, limit: &str| {
        running.get(1, "/metrics").contains(&format!("{{domain=\"d\",limit=\"{limit}\",decision=\"admitted\"}} 0"))
    };
    assert_eq!((has(&running, "first"), has(&running, "second")), (true, false));
    replace(folder.path().join("rules/a.yaml"), rules("second", "day"));
    running.wait_for_log("the config is in force");
    assert_eq!((has(&running, "first"), has(&running, "second")), (false, true));
    replace(folder.path().join("rules/a.yaml"), rules("third", "fortnight"));
    let line = running.wait_for_log("the config is refused");
    assert!(line.contains("rules/a.yaml:2:49: `unit` must be `second`, `minute`"), "{line}");
    assert_eq!((has(&running, "second"), has(&running, "third")), (true, false));
    // A port that is taken changes nothing either.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other = taken.local_addr().expect("an address").to_string();
    replace(folder.path().join("rules/a.yaml"), rules("third", "day"));
    running.wait_for_log("the config is in force");
    let moved = config.replacen("service: { bind: 127.0.0.1:0", &format!("service: {{ bind: {other}"), 1);
    replace(folder.path().join("tidegate.yaml"), moved);
    let line = running.wait_for_log("the config is refused");
    assert!(line.contains(&format!("cannot listen on {other}")), "{line}");
    assert!(TcpStream::connect(running.addresses[0].as_str()).is_ok(), "the port before stays open");
}

#[test]
fn every_local_limit_that_is_shipped_is_enforced() {
    let mut limits = 0;
    for file in ["../envoy/envoy.yaml", "../istio/local-limits.yaml", "../istio/global-limits.yaml"] {
        let text = with(file, &[]);
        let of = |word: &str| text.matches(word).count();
        assert_eq!(of("token_bucket:"), of("filter_enforced:"), "{file}");
        assert_eq!(of("token_bucket:"), of("filter_enabled:"), "{file}");
        limits += of("token_bucket:");
    }
    assert_eq!(limits, 3);
}
