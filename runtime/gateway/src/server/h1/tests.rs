use super::serve;
use crate::config::Limits;
use crate::config::limits::Headers;
use crate::peer::Peer;
use crate::phase::Phase;
use crate::server::patience::{MANY, PARK_AFTER, PARK_SOON};
use crate::server::testing::{Written, counted, shared, shared_with};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tidegate_telemetry::access_log::{AccessLog, Format};
use tidegate_telemetry::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::advance;

/// Serves one connection while the client does its part; gives how long after its last act it was closed.
async fn closed_after<F: Future<Output = DuplexStream>>(client: impl FnOnce(DuplexStream) -> F) -> Duration {
    closed_after_with(Limits::default(), client).await
}

async fn closed_after_with<F: Future<Output = DuplexStream>>(
    limits: Limits,
    client: impl FnOnce(DuplexStream) -> F,
) -> Duration {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let server = serve(far, Peer::unknown().with_limits(&Arc::new(limits)), &shared);
    let client = async {
        let mut near = client(near).await;
        let last = clock::now();
        let rest = near.read_to_end(&mut Vec::new()).await.expect("an end, not an error");
        assert_eq!(rest, 0, "nothing comes before the end");
        clock::now() - last
    };
    tokio::join!(server, client).1
}

/// Sends a request and reads its answer.
async fn ask(stream: &mut DuplexStream) {
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
    let mut answer = [0; 1024];
    let len = stream.read(&mut answer).await.expect("read");
    assert!(answer[..len].starts_with(b"HTTP/1.1 404 "), "{}", String::from_utf8_lossy(&answer[..len]));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_given_up_however_it_trickles() {
    let elapsed = closed_after(|mut stream| async move {
        ask(&mut stream).await;
        stream.write_all(b"GET /x HT").await.expect("written");
        tokio::time::sleep(Duration::from_secs(4)).await;
        stream.write_all(b"TP/1.1\r\n").await.expect("written");
        stream
    });
    assert_eq!(elapsed.await.as_secs(), Limits::default().headers.timeout.as_secs() - 4);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_and_closed_at_last() {
    let elapsed = closed_after(|mut stream| async move {
        for pause in [0, 1, 60, 250] {
            advance(Duration::from_secs(pause)).await;
            ask(&mut stream).await;
        }
        stream
    });
    let elapsed = elapsed.await;
    let limit = Limits::default().idle_timeout;
    assert!((limit..=2 * limit).contains(&elapsed), "{elapsed:?}");
}

/// Put aside and taken up again, it reads what was sent, however it comes, and judges it as before.
#[tokio::test(start_paused = true)]
async fn a_connection_that_was_put_aside_goes_on_where_it_was() {
    let long = format!("GET /x HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(300));
    let odd = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    closed_after(|mut stream| async move {
        ask(&mut stream).await;
        let mut statuses = Vec::new();
        for (request, cut) in [(&*long, 1), (&*long, 64), (&*long, 65), (&*long, 200), (odd, 70)] {
            tokio::time::sleep(3 * PARK_AFTER).await;
            stream.write_all(&request.as_bytes()[..cut]).await.expect("written");
            tokio::time::sleep(3 * PARK_AFTER).await;
            stream.write_all(&request.as_bytes()[cut..]).await.expect("written");
            let mut answer = [0; 1024];
            let length = stream.read(&mut answer).await.expect("read");
            statuses.push(String::from_utf8_lossy(&answer[..length])[9..12].to_owned());
        }
        assert_eq!(statuses, ["404", "404", "404", "404", "400"]);
        stream
    })
    .await;
}

const GET: &str = "GET /x HTTP/1.1\r\nhost: a\r\n\r\n";

/// Sends these bytes and reads to the end; gives the status of every answer, how long it took, and what
/// was counted.
async fn talk(limits: Limits, bytes: &str) -> (Vec<String>, Duration, Vec<String>) {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let peer = Peer::unknown().with_limits(&Arc::new(limits));
    let began = clock::now();
    let client = async {
        near.write_all(bytes.as_bytes()).await.expect("written");
        let mut answers = String::new();
        near.read_to_string(&mut answers).await.expect("an end, not an error");
        let took = clock::now() - began;
        let statuses = answers.match_indices("HTTP/1.1 ").map(|(at, _)| answers[at + 9..at + 12].to_owned());
        (statuses.collect(), took)
    };
    let ((), (statuses, took)) = tokio::join!(serve(far, peer, &shared), client);
    (statuses, took, counted(&shared))
}

#[tokio::test(start_paused = true)]
async fn what_the_parser_refuses_is_answered_once_closed_and_counted_by_reason() {
    let host = "host: a\r\n";
    let cases = [
        ("version", format!("GE T /x HTTP/1.1\r\n{host}\r\n"), "400"),
        ("method", "G\u{1}T /x HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("target", format!("GET /\u{7f} HTTP/1.1\r\n{host}\r\n"), "400"),
        ("version", format!("GET /x HTTP/1.7\r\n{host}\r\n"), "400"),
        ("header", format!("GET /x HTTP/1.1\r\n{host}a b: c\r\n\r\n"), "400"),
        ("header", format!("GET /x HTTP/1.1\r\n{host}a: b\r\n folded\r\n\r\n"), "400"),
        ("framing", format!("POST /x HTTP/1.1\r\n{host}content-length: +5\r\n\r\nabcde"), "400"),
        ("framing", format!("POST /x HTTP/1.1\r\n{host}content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"), "400"),
        ("framing", format!("POST /x HTTP/1.1\r\n{host}transfer-encoding: gzip\r\n\r\n"), "400"),
        ("framing", "POST /x HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), "400"),
        ("too_large", format!("GET /x HTTP/1.1\r\n{host}a: {}\r\n\r\n", "b".repeat(20_000)), "431"),
        ("too_large", format!("GET /x HTTP/1.1\r\n{host}{}\r\n", "a: b\r\n".repeat(100)), "431"),
    ];
    for (reason, bytes, status) in cases {
        // What follows on the connection is never read as a request.
        let (statuses, _, mut counted) = talk(Limits::default(), &format!("{bytes}{GET}")).await;
        counted.retain(|line| line.starts_with("bad_requests"));
        let want = format!(r#"bad_requests_total{{reason="{reason}"}} 1"#);
        assert_eq!((statuses, counted), (vec![status.to_owned()], vec![want]), "{bytes:?}");
    }
}

/// Whatever may be read in two ways is refused, and ends its connection: the second request is never one.
#[tokio::test(start_paused = true)]
async fn what_other_programs_may_read_otherwise_is_400_and_closes() {
    let host = "host: a\r\n";
    let cases = [
        format!("POST /x HTTP/1.1\r\n{host}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /x HTTP/1.1\r\n{host}transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n"),
        format!("POST /x HTTP/1.1\r\n{host}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /x HTTP/1.1\r\n{host}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        format!("POST /x HTTP/1.1\r\n{host}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        "GET /x HTTP/1.1\nhost: a\r\n\r\n".to_owned(),
        "GET /x HTTP/1.1\r\nhost: a\n\r\n".to_owned(),
        format!("GET /x HTTP/1.1\r\n{host}\n"),
    ];
    for bytes in cases {
        let (statuses, _, _) = talk(Limits::default(), &format!("{bytes}{GET}")).await;
        assert_eq!(statuses, ["400"], "{bytes:?}");
        // Nor is it one behind a good request.
        let (statuses, _, _) = talk(Limits::default(), &format!("{GET}{bytes}")).await;
        assert_eq!(statuses[0], "404", "{bytes:?}");
    }
    let (statuses, _, _) = talk(Limits::default(), &format!("CONNECT a:1 HTTP/1.1\r\n{host}\r\n{GET}")).await;
    assert_eq!(statuses, ["501"]);
}

/// Bodies and heads that come in pieces, one after the other, are no oddity.
#[tokio::test(start_paused = true)]
async fn requests_with_and_without_bodies_follow_each_other() {
    let post = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n{\n}\n";
    let chunked = "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let last = "GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let (statuses, ..) = talk(Limits::default(), &[GET, post, GET, chunked, post, last].concat()).await;
    assert_eq!(statuses, ["404"; 6]);
}

#[tokio::test(start_paused = true)]
async fn the_last_request_of_a_connection_is_answered_with_close() {
    let limits = Limits { max_requests: 2, ..Limits::default() };
    let (statuses, took, counted) = talk(limits, &GET.repeat(3)).await;
    assert_eq!((statuses, took), (vec!["404".to_owned(); 2], Duration::ZERO));
    assert_eq!(counted, [r#"limited_total{limit="max_requests"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_closes_after_one_more_answer() {
    let elapsed =
        closed_after_with(Limits { max_age: Duration::from_secs(100), ..Limits::default() }, |mut stream| async {
            ask(&mut stream).await;
            advance(Duration::from_secs(101)).await;
            ask(&mut stream).await;
            stream
        });
    assert_eq!(elapsed.await, Duration::ZERO);
}

/// Answers pile up in the socket of one that asks and never reads.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_closed_after_the_write_timeout() {
    let (mut near, far) = tokio::io::duplex(1024);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let began = clock::now();
    let client = async {
        while near.write_all(GET.as_bytes()).await.is_ok() {}
        clock::now() - began
    };
    let ((), took) = tokio::join!(serve(far, Peer::unknown(), &shared), client);
    assert_eq!(took, Limits::default().write_timeout);
    assert_eq!(counted(&shared), [r#"limited_total{limit="write_timeout"} 1"#]);
}

/// Bytes that are no request have a line of their own, whatever is known of them.
#[tokio::test]
async fn what_the_parser_refuses_is_in_the_access_log() {
    let cases = [
        ("GET /x HTTP/1.1\r\na b: c\r\n\r\n".to_owned(), "400", "bad_request"),
        (format!("GET /x HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(100_000)), "431", "head_too_large"),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(66_000)), "414", "head_too_large"),
        // Nobody was answered.
        ("GET /x HT".to_owned(), "", ""),
    ];
    for (bytes, status, reason) in cases {
        let written = Written::default();
        let (log, writer) = AccessLog::start(Format::Text, Box::new(written.clone()), 1, 64 * 1024).expect("a thread");
        let (_phase, phase) = watch::channel(Phase::Serving);
        let shared = shared_with(phase, Some(log));
        let (mut near, far) = tokio::io::duplex(256 * 1024);
        let client = async {
            near.write_all(bytes.as_bytes()).await.expect("written");
            near.shutdown().await.expect("shut down");
            let mut answer = String::new();
            near.read_to_string(&mut answer).await.expect("an end");
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        };
        let limits =
            Arc::new(Limits { headers: Headers { max_bytes: 80_000, ..Headers::default() }, ..Limits::default() });
        let peer = Peer::new("192.0.2.1:5".parse().expect("an address")).with_limits(&limits);
        let ((), answered) = tokio::join!(serve(far, peer, &shared), client);
        drop((shared, writer));
        let line = written.text();
        let known = line.split_once(" peer=").map_or("", |(_, known)| known);
        let want = match status {
            "" => String::new(),
            _ => format!(
                "192.0.2.1:5 method=- path=- protocol=HTTP/1.1 status={status} duration_ms=0.000 bytes_in=0 \
                 bytes_out=0 reason={reason}\n"
            ),
        };
        assert_eq!((&*answered, known), (status, &*want), "{line}");
    }
}

/// How many are at work a while after so many clients have been answered, and when all of them have been idle for longer.
async fn at_work_after_requests_of(clients: usize) -> (usize, usize) {
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let served = async {
        let mut open = Vec::with_capacity(clients);
        for _ in 0..clients {
            let (mut near, far) = tokio::io::duplex(4 * 1024);
            let shared = Rc::clone(&shared);
            tokio::task::spawn_local(async move { serve(far, Peer::unknown(), &shared).await });
            ask(&mut near).await;
            open.push(near);
        }
        tokio::time::sleep(3 * PARK_SOON).await;
        let soon = shared.at_work.count();
        tokio::time::sleep(3 * PARK_AFTER).await;
        (soon, shared.at_work.count())
    };
    LocalSet::new().run_until(served).await
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_put_aside_and_soon_while_there_are_many() {
    assert_eq!(at_work_after_requests_of(MANY).await, (MANY, 0));
    assert_eq!(at_work_after_requests_of(MANY + 50).await, (MANY, 0));
}

/// Ten thousand of them are megabytes.
#[tokio::test]
async fn a_connection_that_waits_has_little_room_of_its_own() {
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let (_near, far) = tokio::io::duplex(1);
    let size = size_of_val(&serve(far, Peer::unknown(), &shared));
    assert!(size <= 1024, "{size} bytes");
}
