//! What SIGTERM does to those who are connected.
use crate::running::{Running, rest};
use crate::slow_upstream::{PROTO, SlowUpstream};
use crate::{folder, program};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use tempfile::TempDir;

const WAIT: &str = "GET /v1/wait/x HTTP/1.1\r\nhost: localhost\r\n\r\n";
const WATCH: &str = "GET /v1/watch/x HTTP/1.1\r\nhost: localhost\r\n\r\n";
const NOWHERE: &str = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A gateway before a slow service.
struct Stage {
    upstream: SlowUpstream,
    running: Running,
    _folder: TempDir,
}

impl Stage {
    /// With these lines in the config, and so many addresses in all.
    fn set(more: &str, addresses: usize) -> Self {
        let upstream = SlowUpstream::start();
        let folder = folder(&[("slow/slow.proto", PROTO), ("tidegate.yaml", &upstream.config(more))]);
        let running = Running::start_with(&mut program(folder.path(), &["run"]), addresses);
        Self { upstream, running, _folder: folder }
    }

    /// SIGTERM, and until the drain has begun.
    fn drain(&mut self) {
        self.running.signal("TERM");
        self.running.wait_for_log("draining");
    }
}

/// Status, whether the connection is said to close, and the body.
fn parts(answer: &str) -> (u16, bool, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.contains("\r\nconnection: close"), body)
}

/// As many of the log's fields as make it plain how a request ended.
fn ended(log: &str) -> Vec<String> {
    let field = |line: &str, name: &str| {
        let rest = line.split(&format!("\"{name}\":")).nth(1).unwrap_or("-");
        rest.split([',', '}']).next().unwrap_or_default().trim_matches('"').to_owned()
    };
    log.lines().map(|line| ["status", "grpc_status", "reason"].map(|name| field(line, name)).join(" ")).collect()
}

#[test]
fn readiness_goes_first_and_what_is_in_flight_is_answered() {
    let mut stage = Stage::set("drain: 1h\nadmin: { bind: 127.0.0.1:0 }", 2);
    let request = stage.running.send(WAIT);
    stage.upstream.wait();
    stage.drain();
    let ready = stage.running.get(1, "/readyz");
    stage.upstream.release();
    let answer = rest(request);
    assert_eq!((parts(&ready).0, parts(&ready).2), (503, "draining\n"));
    assert_eq!(parts(&answer), (200, true, r#"{"text":"done"}"#));
    assert_eq!(stage.running.end().0, 0);
}

#[test]
fn an_idle_connection_serves_one_more_request_and_is_then_closed() {
    let mut stage = Stage::set("drain: 1h", 1);
    let mut idle = stage.running.connect(NOWHERE, "}");
    stage.drain();
    idle.write_all(NOWHERE.as_bytes()).expect("sent");
    assert_eq!(parts(&rest(idle)), (404, true, r#"{"code":5,"message":"nothing is served at /nowhere"}"#));
    assert_eq!(stage.running.end().0, 0);
}

/// Its first request may be on its way.
#[test]
fn a_connection_that_said_nothing_yet_is_served_when_it_speaks() {
    let mut stage = Stage::set("drain: 1h", 1);
    let mut silent = stage.running.send("");
    stage.drain();
    silent.write_all(NOWHERE.as_bytes()).expect("sent");
    assert_eq!((parts(&rest(silent)).0, stage.running.end().0), (404, 0));
}

#[test]
fn an_idle_connection_is_closed_in_order_at_the_end_of_the_drain() {
    let mut stage = Stage::set("drain: 10ms", 1);
    let used = stage.running.connect(NOWHERE, "}");
    let unused = stage.running.send("");
    stage.drain();
    // A reset would be an error.
    assert_eq!([rest(used), rest(unused)], ["", ""]);
    let (code, _, log) = stage.running.end();
    assert_eq!((code, log.contains("cut")), (0, false), "{log}");
}

/// The kernel resets a connection that is closed with unread bytes in it, and the client then loses
/// what it has not read.
#[test]
fn an_answer_is_not_lost_because_the_next_request_crossed_with_it() {
    let mut stage = Stage::set("drain: 1h", 1);
    let mut idle = stage.running.connect(NOWHERE, "}");
    stage.drain();
    idle.write_all(NOWHERE.repeat(200).as_bytes()).expect("sent");
    assert_eq!(parts(&rest(idle)), (404, true, r#"{"code":5,"message":"nothing is served at /nowhere"}"#));
}

#[test]
fn requests_in_flight_get_the_time_of_the_drain_and_then_an_answer() {
    let mut stage = Stage::set("drain: 10ms", 1);
    let request = stage.running.send(WAIT);
    stage.upstream.wait();
    stage.drain();
    assert_eq!(parts(&rest(request)), (503, true, r#"{"code":14,"message":"the gateway is stopping"}"#));
    let (code, out, _) = stage.running.end();
    assert_eq!((code, ended(&out)), (0, vec!["503 14 stopping".to_owned()]));
}

#[test]
fn a_stream_gets_the_time_of_the_drain_and_then_an_end_with_a_status() {
    let mut stage = Stage::set("drain: 10ms", 1);
    let stream = stage.running.connect(WATCH, r#"{"text":"done"}"#);
    stage.drain();
    let end = r#",{"error":{"code":14,"message":"the gateway is stopping"}}]"#;
    assert_eq!(rest(stream), format!("\r\n{:X}\r\n{end}\r\n0\r\n\r\n", end.len()));
    let (code, out, _) = stage.running.end();
    assert_eq!((code, ended(&out)), (0, vec!["200 14 stopping".to_owned()]));
}

#[test]
fn connections_that_wait_to_be_accepted_are_served() {
    let stage = Stage::set("drain: 1s", 1);
    stage.running.signal("STOP");
    let waiting: Vec<_> = (0..20).map(|_| stage.running.send(NOWHERE)).collect();
    stage.running.signal("TERM");
    stage.running.signal("CONT");
    // One that is served before the signal is seen stays open, until the drain is over.
    let served: Vec<_> = waiting.into_iter().map(|waiting| parts(&rest(waiting)).0).collect();
    assert_eq!(served, [404; 20]);
    assert_eq!(stage.running.end().0, 0);
}

#[test]
fn new_connections_are_refused_while_it_drains() {
    let mut stage = Stage::set("drain: 1h", 1);
    let request = stage.running.send(WAIT);
    stage.upstream.wait();
    stage.drain();
    // Until the listener is closed, whoever gets in is served.
    let refused = loop {
        match TcpStream::connect(&stage.running.addresses[0]) {
            Ok(mut stream) => {
                stream.write_all(NOWHERE.as_bytes()).expect("sent");
                assert_eq!(parts(&rest(stream)).0, 404);
            }
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    stage.upstream.release();
    assert_eq!(parts(&rest(request)).0, 200);
    assert_eq!(stage.running.end().0, 0);
}

#[test]
fn while_the_drain_is_delayed_everything_is_served_as_before() {
    let mut stage = Stage::set("drain_delay: 1h\nadmin: { bind: 127.0.0.1:0 }", 2);
    stage.running.signal("TERM");
    stage.running.wait_for_log("stopping");
    assert_eq!(parts(&stage.running.get(1, "/readyz")).0, 503);
    let mut kept = stage.running.connect(NOWHERE, "}");
    kept.write_all(NOWHERE.as_bytes()).expect("sent");
    let mut answer = [0; 1024];
    let length = kept.read(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert_eq!((parts(&answer).0, parts(&answer).1), (404, false));
    stage.running.signal("TERM");
    assert_eq!(stage.running.end().0, 1);
}

#[test]
fn a_second_signal_ends_the_drain_at_once() {
    let mut stage = Stage::set("drain: 1h", 1);
    let _request = stage.running.send(WAIT);
    stage.upstream.wait();
    stage.drain();
    stage.running.signal("INT");
    assert_eq!(stage.running.end().0, 1);
}
