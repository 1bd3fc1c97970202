//! Clients that write frames as they like, in virtual time.

use super::serve;
use crate::config::Limits;
use crate::peer::Peer;
use crate::phase::Phase;
use crate::server::testing::{Written, counted, shared, shared_with};
use std::sync::Arc;
use std::time::Duration;
use tidegate_telemetry::access_log::{AccessLog, Format};
use tidegate_telemetry::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::LocalSet;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `GET http://a/`, in HPACK.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 0x01, b'a'];

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const WHOLE: u8 = 0x5;

const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What a client hears that it did not ask for, with the second in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Reset { at: u64, stream: u32, code: u32 },
    GoAway { at: u64, last: u32, code: u32 },
    Answered { stream: u32 },
    Closed { at: u64 },
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, high, mid, low] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = vec![high, mid, low, kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, WHOLE, stream, GET)
}

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
fn window(size: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&[0, 4][..], &size.to_be_bytes()].concat())
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")) & 0x7fff_ffff
}

/// Sends bytes, then listens until the connection closes or an hour has passed. Answers PING if told to.
async fn run(limits: Limits, bytes: Vec<u8>, answers_ping: bool) -> (Vec<Heard>, Vec<String>) {
    run_with_pipe(limits, bytes, answers_ping, 1 << 20).await
}

async fn run_with_pipe(limits: Limits, bytes: Vec<u8>, answers_ping: bool, pipe: usize) -> (Vec<Heard>, Vec<String>) {
    let (near, far) = tokio::io::duplex(pipe);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let peer = Peer::unknown().with_limits(&Arc::new(limits));
    let client = listen(near, bytes, answers_ping);
    let server = async { tokio::time::timeout(Duration::from_secs(3600), serve(far, peer, &shared)).await };
    let both = async { tokio::join!(client, server).0 };
    let heard = LocalSet::new().run_until(both).await;
    (heard, counted(&shared))
}

async fn listen(near: DuplexStream, bytes: Vec<u8>, answers_ping: bool) -> Vec<Heard> {
    let began = clock::now();
    let at = || (clock::now() - began).as_secs();
    let (mut read, mut write) = tokio::io::split(near);
    let writer = tokio::task::spawn_local(async move {
        // The other end may be gone before all is sent.
        let _ = write.write_all(&bytes).await;
        write
    });
    let mut write = None;
    let mut writer = Some(writer);
    let mut heard = Vec::new();
    loop {
        let mut head = [0; 9];
        if read.read_exact(&mut head).await.is_err() {
            heard.push(Heard::Closed { at: at() });
            return heard;
        }
        let len = number(&[0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; len];
        read.read_exact(&mut payload).await.expect("a whole frame");
        let stream = number(&head[5..]);
        match head[3] {
            HEADERS => heard.push(Heard::Answered { stream }),
            RST_STREAM => heard.push(Heard::Reset { at: at(), stream, code: number(&payload) }),
            GOAWAY => heard.push(Heard::GoAway { at: at(), last: number(&payload), code: number(&payload[4..]) }),
            PING if head[4] & ACK == 0 && answers_ping => {
                if let Some(writer) = writer.take() {
                    write = Some(writer.await.expect("it does not panic"));
                }
                let write = write.as_mut().expect("it was taken back");
                // The other end may be closing.
                let _ = write.write_all(&frame(PING, ACK, 0, &payload)).await;
            }
            _ => {}
        }
    }
}

/// A client that says hello as it should, then these bytes.
fn hello(more: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[]), more.concat()].concat()
}

/// At this second, or a look later.
#[track_caller]
fn closed_at(heard: &[Heard], from: u64, to: u64) {
    match heard.last() {
        Some(Heard::Closed { at }) => assert!((from..=to).contains(at), "{heard:?}"),
        other => panic!("it was not closed: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_and_does_not_go_on_is_closed_after_the_header_timeout() {
    let block = frame(HEADERS, 0x1, 1, GET);
    let half = block[..12].to_vec();
    for bytes in [PREFACE[..10].to_vec(), PREFACE.to_vec(), hello(&[block]), hello(&[half]), hello(&[vec![0; 4]])] {
        let (heard, counted) = run(Limits::default(), bytes.clone(), true).await;
        closed_at(&heard, 10, 13);
        assert_eq!(counted, [r#"limited_total{limit="header_timeout"} 1"#], "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_window_is_reset_and_the_others_go_on() {
    let opens = frame(WINDOW_UPDATE, 0, 3, &1000u32.to_be_bytes());
    let bytes = hello(&[window(0), get(1), get(3), opens]);
    let limits = Limits { idle_timeout: Duration::from_secs(100), ..Limits::default() };
    let (heard, counted) = run(limits, bytes, true).await;
    let resets: Vec<_> = heard.iter().filter(|heard| matches!(heard, Heard::Reset { .. })).collect();
    assert_eq!(resets, [&Heard::Reset { at: 30, stream: 1, code: CANCEL }], "{heard:?}");
    assert!(heard.contains(&Heard::Answered { stream: 3 }), "{heard:?}");
    let want = [r#"limited_total{limit="idle_timeout"} 1"#, r#"limited_total{limit="write_timeout"} 1"#];
    assert_eq!(counted, want);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_one_byte_holds_nothing_up_for_ever_either() {
    let (heard, counted) = run(Limits::default(), hello(&[window(1), get(1)]), false).await;
    assert!(heard.contains(&Heard::Reset { at: 30, stream: 1, code: CANCEL }), "{heard:?}");
    assert!(counted.contains(&r#"limited_total{limit="write_timeout"} 1"#.to_owned()), "{counted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_closed_after_the_write_timeout() {
    // Its socket takes 200 bytes, and it asks a hundred times.
    let asks: Vec<_> = (0..100).map(|n| get(2 * n + 1)).collect();
    let (near, far) = tokio::io::duplex(200);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let peer = Peer::unknown().with_limits(&Arc::default());
    let began = clock::now();
    let client = async move {
        let (_read, mut write) = tokio::io::split(near);
        // The other end may be gone before all is sent.
        let _ = write.write_all(&hello(&asks)).await;
        std::future::pending::<()>().await;
    };
    let both = async {
        tokio::select! {
            () = serve(far, peer, &shared) => {}
            () = client => {}
        }
    };
    LocalSet::new().run_until(both).await;
    let took = (clock::now() - began).as_secs();
    assert!((30..=34).contains(&took), "{took}");
    assert_eq!(counted(&shared)[0], r#"limited_total{limit="write_timeout"} 1"#);
}

#[tokio::test(start_paused = true)]
async fn floods_of_frames_that_ask_for_nothing_end_the_connection() {
    let on_stream = [get(1), vec![]].concat();
    let floods = [
        ("ping", frame(PING, 0, 0, &[0; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[])),
        ("priority", frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("window", frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes())),
        ("unknown", frame(0xbe, 0, 0, &[])),
    ];
    for (name, flood) in floods {
        let bytes = hello(&[on_stream.clone(), flood.repeat(2000)]);
        let (heard, counted) = run(Limits::default(), bytes, false).await;
        let end = &heard[heard.len() - 2..];
        assert_eq!(end, [Heard::GoAway { at: 0, last: 1, code: ENHANCE_YOUR_CALM }, Heard::Closed { at: 0 }], "{name}");
        assert_eq!(counted, [r#"limited_total{limit="h2_frames"} 1"#], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let pair = |n: u32| [get(2 * n + 1), frame(RST_STREAM, 0, 2 * n + 1, &CANCEL.to_be_bytes())].concat();
    let few: Vec<_> = (0..200).map(pair).collect();
    let limits = Limits { idle_timeout: Duration::from_secs(100), ..Limits::default() };
    let (heard, _) = run(limits.clone(), hello(&few), true).await;
    closed_at(&heard, 100, 106);
    let many: Vec<_> = (0..201).map(pair).collect();
    let (heard, counted) = run(limits, hello(&many), true).await;
    closed_at(&heard, 0, 0);
    let calm = |heard: &Heard| matches!(heard, Heard::GoAway { code: ENHANCE_YOUR_CALM, .. });
    assert!(heard.iter().any(calm), "{heard:?}");
    assert_eq!(counted, [r#"limited_total{limit="h2_resets"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_a_ping_is_gone() {
    let (heard, counted) = run(Limits::default(), hello(&[get(1)]), false).await;
    closed_at(&heard, 40, 46);
    assert_eq!(counted, [r#"limited_total{limit="h2_ping_timeout"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_to_go_and_goes() {
    let (heard, counted) = run(Limits::default(), hello(&[get(1)]), true).await;
    closed_at(&heard, 300, 306);
    assert_eq!(counted, [r#"limited_total{limit="idle_timeout"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_a_last_request_and_a_last_hour() {
    let limits = Limits { max_requests: 2, ..Limits::default() };
    let (heard, counted) = run(limits, hello(&[get(1), get(3)]), true).await;
    assert!(heard.contains(&Heard::Answered { stream: 3 }), "{heard:?}");
    closed_at(&heard, 0, 0);
    assert_eq!(counted, [r#"limited_total{limit="max_requests"} 1"#]);

    let limits = Limits { max_age: Duration::from_secs(100), ..Limits::default() };
    let (heard, counted) = run(limits, hello(&[]), true).await;
    closed_at(&heard, 90, 106);
    assert_eq!(counted, [r#"limited_total{limit="max_age"} 1"#]);
}

/// The requests that have ended.
fn served(shared: &crate::server::worker::Shared) -> u32 {
    let mut text = String::new();
    shared.gateway.telemetry().metrics.encode(&mut text).expect("text");
    let counts = text.lines().filter(|line| line.starts_with("tidegate_request_duration_seconds_count"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok()).sum()
}

#[tokio::test(start_paused = true)]
async fn between_a_few_requests_of_one_connection_it_is_the_turn_of_others() {
    let asks: Vec<_> = (0..100).map(|n| get(2 * n + 1)).collect();
    let (near, far) = tokio::io::duplex(1 << 20);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let peer = Peer::unknown().with_limits(&Arc::default());
    let (_read, mut write) = tokio::io::split(near);
    write.write_all(&hello(&asks)).await.expect("there is room");
    // What has been served at each turn of somebody else on the same worker.
    let other = async {
        let mut turns = vec![0];
        while turns.last() < Some(&100) {
            tokio::task::yield_now().await;
            turns.push(served(&shared));
        }
        turns
    };
    let both = async {
        tokio::select! {
            () = serve(far, peer, &shared) => panic!("it serves until it is idle"),
            turns = other => turns,
        }
    };
    let turns = LocalSet::new().run_until(both).await;
    let most = turns.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(most, Some(super::REQUESTS_IN_TURN), "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn of_a_client_that_takes_no_replies_a_request_begins_now_and_then() {
    let asks: Vec<_> = (0..100).map(|n| get(2 * n + 1)).collect();
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared(phase);
    let peer = Peer::unknown().with_limits(&Arc::default());
    near.write_all(&hello(&[&[window(0)][..], &asks].concat())).await.expect("there is room");
    let begun_late = async {
        let mut begun = Vec::new();
        for wait in [2, 195, 200, 200] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            begun.push(counted(&shared));
        }
        begun
    };
    let both = async {
        tokio::select! {
            () = serve(far, peer, &shared) => panic!("it serves until it is idle"),
            begun = begun_late => begun,
        }
    };
    let begun = LocalSet::new().run_until(both).await;
    // One after every 5 ms; the first 16 are not counted.
    let counts = |count| [format!(r#"limited_total{{limit="h2_starts"}} {count}"#)];
    assert_eq!(begun[0], [""; 0]);
    assert_eq!((&begun[1][..], &begun[2][..], &begun[3][..]), (&counts(39)[..], &counts(79)[..], &counts(84)[..]));
}

/// It is told not to send the rest of its body, which nobody would read (RFC 9113, section 8.1).
#[tokio::test(start_paused = true)]
async fn a_request_that_is_answered_before_its_end_is_reset_without_an_error() {
    let limits = Limits { idle_timeout: Duration::from_secs(100), ..Limits::default() };
    let (heard, _) = run(limits, hello(&[frame(HEADERS, 0x4, 1, GET)]), true).await;
    assert_eq!(heard[..2], [Heard::Answered { stream: 1 }, Heard::Reset { at: 0, stream: 1, code: 0 }], "{heard:?}");
}

/// A request with one more field.
fn get_with(stream: u32, name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
    let field = [&[0, length(name)][..], name, &[length(value)], value].concat();
    frame(HEADERS, WHOLE, stream, &[GET, &field].concat())
}

#[tokio::test(start_paused = true)]
async fn streams_that_the_library_refuses_are_counted_and_answers_are_logged() {
    let written = Written::default();
    let (log, writer) = AccessLog::start(Format::Text, Box::new(written.clone()), 1, 64 * 1024).expect("a thread");
    let (near, far) = tokio::io::duplex(1 << 20);
    let (_phase, phase) = watch::channel(Phase::Serving);
    let shared = shared_with(phase, Some(log));
    let mut limits = Limits { idle_timeout: Duration::from_secs(100), ..Limits::default() };
    limits.headers.max_bytes = 300;
    limits.h2.max_streams = 2;
    let peer = Peer::new("192.0.2.1:5".parse().expect("an address")).with_limits(&Arc::new(limits));
    let requests = [
        get_with(1, b"x", &[b'a'; 120]),
        // Trailers of a stream begin none.
        [frame(HEADERS, 0x4, 3, GET), frame(HEADERS, WHOLE, 3, &[0, 1, b'x', 1, b'y'])].concat(),
        get_with(5, b"connection", b"x"),
        get(7),
        get(9),
    ];
    let client = listen(near, hello(&requests), true);
    let both = async { tokio::join!(serve(far, peer, &shared), client).1 };
    let heard = LocalSet::new().run_until(both).await;
    let mut answered: Vec<u32> = heard
        .iter()
        .filter_map(|heard| if let Heard::Answered { stream } = heard { Some(*stream) } else { None })
        .collect();
    answered.sort_unstable();
    let want = [
        r#"limited_total{limit="header_bytes"} 1"#,
        r#"limited_total{limit="idle_timeout"} 1"#,
        r#"limited_total{limit="h2_streams"} 2"#,
        r#"bad_requests_total{reason="too_large"} 1"#,
        r#"bad_requests_total{reason="h2"} 1"#,
    ];
    assert_eq!((counted(&shared), answered), (want.map(str::to_owned).to_vec(), vec![1, 3]), "{heard:?}");
    drop((shared, writer));
    let log = written.text();
    let lines: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once(" peer=")?.1)).collect();
    let refused = "192.0.2.1:5 method=- path=- protocol=HTTP/2 status=431 duration_ms=0.000 bytes_in=0 bytes_out=0 \
                   reason=head_too_large";
    assert_eq!(lines.iter().filter(|line| **line == refused).count(), 1, "{log}");
    assert_eq!(lines.len(), 2, "{log}");
}
