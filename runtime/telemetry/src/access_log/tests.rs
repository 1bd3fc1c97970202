use std::{
    io::{self, Write},
    net::{Ipv6Addr, SocketAddr},
    sync::{Arc, mpsc},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::{AccessLog, FIELD_MAX_BYTES, Field, Figures, Format, Layout, QUEUE_LIMIT_BYTES, Record, Template};
use crate::trace_context::TraceContext;

/// An output that tests can read.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that says when it is written to and then waits to be let go.
struct Stuck {
    entered: mpsc::Sender<()>,
    release: mpsc::Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.entered.send(()).unwrap();
        self.release.recv().unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn minimal() -> Record<'static> {
    Record {
        began: SystemTime::UNIX_EPOCH,
        request_id: "r",
        trace_id: None,
        span_id: None,
        peer: None,
        host: None,
        method: "GET",
        path: "/",
        protocol: "HTTP/2",
        route: None,
        rpc: None,
        upstream: None,
        canary: None,
        fallback: None,
        endpoint: None,
        status: 200,
        grpc_status: None,
        duration: Duration::ZERO,
        upstream_duration: None,
        attempts: None,
        queued: None,
        bytes_in: 0,
        bytes_out: 0,
        reason: None,
        limit: None,
        user_agent: None,
    }
}

fn full() -> Record<'static> {
    let trace = TraceContext::generate(1, 2);
    Record {
        // 2026-11-23T04:05:06.789Z
        began: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_406_706_789),
        request_id: "0190-a",
        trace_id: Some(trace.trace_id),
        span_id: Some(trace.span_id),
        peer: Some(SocketAddr::from(([127, 0, 0, 1], 4_711))),
        host: Some(b"api.example.com"),
        method: "POST",
        path: "/v1/orders?note=a b",
        protocol: "HTTP/1.1",
        route: Some("shop.v1.Orders"),
        rpc: Some("shop.v1.Orders/Create"),
        upstream: Some("shop"),
        canary: Some("hash:x-user-id"),
        fallback: Some("upstream"),
        endpoint: Some("127.0.0.1:50051"),
        status: 503,
        grpc_status: Some(14),
        duration: Duration::from_micros(12_034),
        upstream_duration: Some(Duration::from_nanos(999_999)),
        attempts: Some(3),
        queued: Some(Duration::from_micros(1_500)),
        bytes_in: 3,
        bytes_out: u64::MAX,
        reason: Some("upstream_unavailable"),
        limit: None,
        user_agent: Some(b"curl/8.0 (\"x\")"),
    }
}

fn line(format: Format, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    Layout::from(format).write(record, &mut out);
    String::from_utf8(out).unwrap()
}

fn json(record: &Record<'_>) -> serde_json::Value {
    serde_json::from_str(&line(Format::Json, record)).unwrap()
}

#[test]
fn json_holds_every_field_in_order() {
    assert_eq!(
        line(Format::Json, &full()),
        concat!(
            r#"{"ts":"2026-11-23T04:05:06.789Z","level":"warn","msg":"request","#,
            r#""request_id":"0190-a","trace_id":"00000000000000000000000000000001","#,
            r#""span_id":"0000000000000002","peer":"127.0.0.1:4711","#,
            r#""host":"api.example.com","method":"POST","path":"/v1/orders?note=a b","#,
            r#""protocol":"HTTP/1.1","route":"shop.v1.Orders","#,
            r#""rpc":"shop.v1.Orders/Create","upstream":"shop","canary":"hash:x-user-id","fallback":"upstream","endpoint":"127.0.0.1:50051","#,
            r#""status":503,"grpc_status":14,"duration_ms":12.034,"upstream_ms":0.999,"attempts":3,"queued_ms":1.500,"#,
            r#""bytes_in":3,"bytes_out":18446744073709551615,"#,
            r#""reason":"upstream_unavailable","user_agent":"curl/8.0 (\"x\")"}"#,
            "\n"
        )
    );
}

#[test]
fn text_quotes_only_what_needs_quotes() {
    assert_eq!(
        line(Format::Text, &full()),
        concat!(
            "ts=2026-11-23T04:05:06.789Z level=warn msg=request request_id=0190-a ",
            "trace_id=00000000000000000000000000000001 span_id=0000000000000002 ",
            "peer=127.0.0.1:4711 host=api.example.com method=POST ",
            r#"path="/v1/orders?note=a b" protocol=HTTP/1.1 route=shop.v1.Orders "#,
            "rpc=shop.v1.Orders/Create upstream=shop canary=hash:x-user-id fallback=upstream endpoint=127.0.0.1:50051 ",
            "status=503 grpc_status=14 duration_ms=12.034 upstream_ms=0.999 attempts=3 queued_ms=1.500 ",
            "bytes_in=3 bytes_out=18446744073709551615 ",
            r#"reason=upstream_unavailable user_agent="curl/8.0 (\"x\")""#,
            "\n"
        )
    );
}

#[test]
fn what_is_unknown_is_left_out() {
    assert_eq!(
        line(Format::Json, &minimal()),
        concat!(
            r#"{"ts":"1970-01-01T00:00:00.000Z","level":"info","msg":"request","#,
            r#""request_id":"r","method":"GET","path":"/","protocol":"HTTP/2","status":200,"#,
            r#""duration_ms":0.000,"bytes_in":0,"bytes_out":0}"#,
            "\n"
        )
    );
}

#[test]
fn times_are_right_around_leap_days_and_centuries() {
    let ts = |seconds: u64| {
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        json(&Record { began, ..minimal() })["ts"].as_str().unwrap().to_owned()
    };
    assert_eq!(ts(951_782_399), "2000-02-28T23:59:59.000Z");
    assert_eq!(ts(951_782_400), "2000-02-29T00:00:00.000Z");
    assert_eq!(ts(951_868_800), "2000-03-01T00:00:00.000Z");
    assert_eq!(ts(1_709_164_800), "2024-02-29T00:00:00.000Z");
    assert_eq!(ts(4_107_542_400), "2100-03-01T00:00:00.000Z");
    assert_eq!(ts(1_798_761_599), "2026-12-31T23:59:59.000Z");
}

#[test]
fn an_ipv6_peer_is_bracketed() {
    let peer = Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 80)));
    assert_eq!(json(&Record { peer, ..minimal() })["peer"], "[::1]:80");
}

#[test]
fn a_client_cannot_write_a_line_of_its_own() {
    let user_agent = Some(&b"x\"\r\n{\"ts\":\"forged\"}\x1b[2J\x7f\xc2\x85\xe2\x80\xa8"[..]);
    let record = Record { user_agent, ..minimal() };
    let expected = r#"x\"\r\n{\"ts\":\"forged\"}\u001b[2J\u007f\u0085\u2028""#;
    assert!(line(Format::Json, &record).ends_with(&format!("\"user_agent\":\"{expected}}}\n")));
    assert!(line(Format::Text, &record).ends_with(&format!(" user_agent=\"{expected}\n")));
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let record = Record { user_agent: Some(b"a\xffb\xf0\x9f"), ..minimal() };
    assert_eq!(json(&record)["user_agent"], "a\u{fffd}b\u{fffd}");
}

#[test]
fn a_long_value_is_cut_and_says_so() {
    let path = "ж".repeat(FIELD_MAX_BYTES);
    let record = Record { path: &path, ..minimal() };
    let cut = format!("{}…", "ж".repeat(FIELD_MAX_BYTES / 2));
    assert_eq!(json(&record)["path"], cut.as_str());

    let path = "a".repeat(FIELD_MAX_BYTES + 1);
    let record = Record { path: &path, ..minimal() };
    let cut = format!(" path=\"{}…\" ", "a".repeat(FIELD_MAX_BYTES));
    assert!(line(Format::Text, &record).contains(&cut));
}

proptest! {
    #[test]
    fn any_value_survives_json(value in prop::collection::vec(any::<u8>(), 0..64)) {
        let record = Record { user_agent: Some(&value), host: Some(&value), ..minimal() };
        let expected = String::from_utf8_lossy(&value);
        let read = json(&record);
        prop_assert_eq!(
            (read["user_agent"].as_str(), read["host"].as_str()),
            (Some(&*expected), Some(&*expected))
        );
    }

    #[test]
    fn text_is_one_line_whose_quotes_balance(value in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = line(Format::Text, &Record { user_agent: Some(&value), ..minimal() });
        let (_, shown) = text.split_once(" user_agent=").unwrap();
        let shown = shown.strip_suffix('\n').unwrap();
        let read = if shown.starts_with('"') {
            serde_json::from_str(shown).unwrap()
        } else {
            shown.to_owned()
        };
        prop_assert_eq!(read, String::from_utf8_lossy(&value));
        prop_assert!(!shown.contains(char::is_control));
    }
}

#[test]
fn closing_writes_every_line_of_every_thread() {
    let output = Output::default();
    let (log, writer) = AccessLog::start(Format::Text, Box::new(output.clone()), 4, QUEUE_LIMIT_BYTES).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || {
                for line in 0..2_000 {
                    let id = format!("{thread}.{line}");
                    log.write(&Record { request_id: &id, ..minimal() });
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    writer.close();

    let written = String::from_utf8(output.0.lock().clone()).unwrap();
    let mut ids: Vec<&str> =
        written.lines().map(|line| line.split_once("request_id=").unwrap().1.split(' ').next().unwrap()).collect();
    ids.sort_unstable();
    let mut expected: Vec<String> =
        (0..4).flat_map(|thread| (0..2_000).map(move |line| format!("{thread}.{line}"))).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(
        log.figures(),
        Figures { taken: 8_000, dropped: 0, queued_bytes: 0, queue_limit_bytes: QUEUE_LIMIT_BYTES as u64 }
    );
}

#[test]
fn a_line_is_written_without_a_further_one() {
    let (entered, written) = mpsc::channel();
    let (release, let_go) = mpsc::channel();
    let output = Box::new(Stuck { entered, release: let_go });
    let (log, writer) = AccessLog::start(Format::Json, output, 1, QUEUE_LIMIT_BYTES).unwrap();
    for _ in 0..3 {
        log.write(&minimal());
        written.recv().unwrap();
        release.send(()).unwrap();
    }
    writer.close();
}

#[test]
fn a_stuck_output_loses_lines_and_blocks_nobody() {
    let (entered, written) = mpsc::channel();
    let (release, let_go) = mpsc::channel();
    let output = Box::new(Stuck { entered, release: let_go });
    let size = line(Format::Json, &minimal()).len();
    let (log, writer) = AccessLog::start(Format::Json, output, 1, 10 * size).unwrap();

    log.write(&minimal());
    written.recv().unwrap();
    // The writer holds the first line; ten more fill the queue.
    (0..25).for_each(|_| log.write(&minimal()));
    let expected =
        Figures { taken: 11, dropped: 15, queued_bytes: 10 * size as u64, queue_limit_bytes: 10 * size as u64 };
    assert_eq!(log.figures(), expected);

    release.send(()).unwrap();
    release.send(()).unwrap();
    writer.close();
    assert_eq!(log.figures(), Figures { queued_bytes: 0, ..expected });
}

#[test]
fn lines_that_the_output_refuses_are_counted_as_dropped() {
    let (log, writer) = AccessLog::start(Format::Json, Box::new(Broken), 1, QUEUE_LIMIT_BYTES).unwrap();
    log.write(&minimal());
    writer.close();
    log.write(&minimal());
    assert_eq!(
        log.figures(),
        Figures { taken: 1, dropped: 2, queued_bytes: 0, queue_limit_bytes: QUEUE_LIMIT_BYTES as u64 }
    );
}

#[test]
fn fields_are_those_that_were_chosen_in_their_order() {
    let fields = vec![Field::Status, Field::Path, Field::Rpc, Field::Ts];
    let record = Record { path: "/a b", ..minimal() };
    let line = |layout: Layout| {
        let mut out = Vec::new();
        layout.write(&record, &mut out);
        String::from_utf8(out).unwrap()
    };
    let json = line(Layout::Fields(Format::Json, fields.clone()));
    assert_eq!(json, "{\"status\":200,\"path\":\"/a b\",\"ts\":\"1970-01-01T00:00:00.000Z\"}\n");
    let text = line(Layout::Fields(Format::Text, fields));
    assert_eq!(text, "status=200 path=\"/a b\" ts=1970-01-01T00:00:00.000Z\n");
}

#[test]
fn a_template_is_filled_in_and_cannot_be_broken_out_of() {
    let template = Template::parse("%peer% \"%method% %path%\" %status% 100%% %rpc%").unwrap();
    let mut out = Vec::new();
    Layout::Template(template).write(&Record { path: "/\"\n%status%", ..minimal() }, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "- \"GET /\\\"\\n%status%\" 200 100% -\n");
}

#[test]
fn templates_that_say_nothing_sensible_are_refused() {
    assert_eq!(Template::parse("%stats%"), Err(Some("stats".to_owned())));
    for text in ["100%", "%status", "% status%", "a\nb"] {
        assert_eq!(Template::parse(text), Err(None), "{text}");
    }
}

#[test]
fn every_field_has_its_name() {
    for field in Field::ALL {
        assert_eq!(Field::named(field.name()), Some(field));
    }
}
