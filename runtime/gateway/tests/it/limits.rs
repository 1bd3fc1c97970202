//! What a request and a reply may be, and what is counted when they are more.

use crate::rig::{ECHO, Scripted, Seen, Stopped, data, framed, gateway, headers, json, request, trailers};
use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::limits;
use tidegate_gateway::config::{Config, Limits};
use tidegate_gateway::{Gateway, Peer, Single, pipeline};

fn echo_with(change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    gateway(&[("echo.proto", ECHO)], &["test.Echo"], change)
}

/// The answer, and the limits that were counted.
async fn ask<B>(gateway: &Arc<Gateway>, limits: Limits, reply: Scripted, request: Request<B>) -> (Seen, Vec<String>)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let peer = Peer::unknown().with_limits(&Arc::new(limits));
    let response = pipeline::handle(gateway, &Single(reply), request, &peer).await;
    let (mut head, body) = response.into_parts();
    assert!(head.headers.remove("x-request-id").is_some(), "every answer names its request");
    let body = body.collect().await.expect("it does not break off").to_bytes();
    let body = String::from_utf8(body.into()).expect("text");
    (Seen { status: head.status.as_u16(), headers: head.headers, body }, counted(gateway))
}

fn counted(gateway: &Gateway) -> Vec<String> {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("text");
    let lines = text.lines().filter(|line| line.starts_with("tidegate_limited_total{") && !line.ends_with(" 0"));
    lines.map(|line| line.trim_start_matches("tidegate_limited_total").to_owned()).collect()
}

fn error(status: u16, code: u32, message: &str) -> Seen {
    json(status, &format!(r#"{{"code":{code},"message":"{message}"}}"#))
}

fn limit(name: &str) -> Vec<String> {
    vec![format!(r#"{{limit="{name}"}} 1"#)]
}

#[tokio::test]
async fn header_fields_are_counted_and_so_is_each_piece_of_a_cookie() {
    for name in ["x-a", "cookie"] {
        let lines = vec![(name, "b"); 100];
        let limits = Limits::default();
        let asked = request("GET /things/7", &lines, "");
        let (seen, counted) = ask(&echo_with(|_| {}), limits.clone(), Scripted::unary(b"\x08\x07"), asked).await;
        assert_eq!((seen.status, counted), (200, vec![]));
        let lines = vec![(name, "b"); 101];
        let asked = request("GET /things/7", &lines, "");
        let (seen, counted) = ask(&echo_with(|_| {}), limits, Scripted::unary(b""), asked).await;
        assert_eq!(seen, error(431, 8, "the request has more than 100 header fields"));
        assert_eq!(counted, limit("header_count"));
    }
}

#[tokio::test]
async fn a_name_with_an_underscore_is_refused() {
    let asked = request("GET /things/7", &[("x_user", "1")], "");
    let (seen, _) = ask(&echo_with(|_| {}), Limits::default(), Scripted::unary(b""), asked).await;
    assert_eq!(seen, error(400, 3, "header `x_user` has an underscore in its name: write it with a hyphen"));
}

#[tokio::test]
async fn a_transfer_coding_but_chunked_is_refused() {
    let mut asked = request("PUT /things/7", &[("host", "a"), ("transfer-encoding", "gzip, chunked")], "{}");
    *asked.version_mut() = http::Version::HTTP_11;
    let (mut seen, _) = ask(&echo_with(|_| {}), Limits::default(), Scripted::unary(b""), asked).await;
    assert_eq!(seen.headers.remove("connection").as_ref().map(|value| value.as_bytes()), Some(&b"close"[..]));
    assert_eq!(seen, error(400, 3, "a transfer coding other than `chunked` is not taken"));
}

#[tokio::test]
async fn an_accept_without_elements_is_none() {
    for accept in [",", " , ,", ""] {
        let reply = Scripted::new(vec![data(b"\x08\x01"), trailers(&[("grpc-status", "0")])]);
        let asked = request("GET /things/1:watch", &[("accept", accept)], "");
        let (seen, _) = ask(&echo_with(|_| {}), Limits::default(), reply, asked).await;
        assert_eq!(seen, json(200, r#"[{"id":1}]"#), "{accept:?}");
    }
}

#[tokio::test]
async fn headers_that_connection_names_do_not_pass() {
    let gateway = echo_with(|_| {});
    let lines = [
        ("host", "a"),
        ("connection", "keep-alive, X-Mine, tracestate"),
        ("x-mine", "1"),
        ("x-other", "2"),
        ("tracestate", "a=b"),
        ("baggage", "c=d"),
    ];
    let mut asked = request("GET /things/7", &lines, "");
    *asked.version_mut() = http::Version::HTTP_11;
    let up = Single(Scripted::unary(b""));
    drop(pipeline::handle(&gateway, &up, asked, &Peer::unknown()).await);
    let sent = up.0.request().0.headers;
    let passed: Vec<_> = ["x-mine", "x-other", "tracestate", "baggage"].map(|name| sent.contains_key(name)).into();
    assert_eq!(passed, [false, true, false, true]);
}

#[tokio::test]
async fn a_route_has_a_limit_for_bodies_of_its_own() {
    let gateway = echo_with(|config| config.routes[0].max_body = Some(10));
    let asked = request("PUT /things/7", &[], r#"{"name":"long"}"#);
    let (seen, counted) = ask(&gateway, Limits::default(), Scripted::unary(b""), asked).await;
    assert_eq!(seen, error(413, 8, "the request's body is longer than 10 bytes"));
    assert_eq!(counted, limit("body_bytes"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_at_the_least_rate_is_408() {
    let body = limits::Body { timeout: Duration::from_secs(3), ..limits::Body::default() };
    let limits = Limits { body, ..Limits::default() };
    let asked = request("PUT /things/7", &[], "").map(|_| Stopped(None));
    let (seen, counted) = ask(&echo_with(|_| {}), limits, Scripted::unary(b""), asked).await;
    assert_eq!(seen, error(408, 4, "the request's body came too slowly"));
    assert_eq!(counted, limit("body_rate"));
}

#[tokio::test(start_paused = true)]
async fn a_request_may_take_what_its_listener_allows_whatever_its_route_says() {
    let gateway = echo_with(|config| config.routes[0].timeout = Some(Duration::from_secs(3600)));
    let limits = Limits { request_timeout: Duration::from_secs(5), ..Limits::default() };
    let asked = request("PUT /things/7", &[], "").map(|_| Stopped(None));
    let (seen, counted) = ask(&gateway, limits, Scripted::unary(b""), asked).await;
    assert_eq!(seen, error(504, 4, "the deadline passed before the request's body came"));
    assert_eq!(counted, limit("request_timeout"));
}

#[tokio::test]
async fn without_memory_requests_are_told_to_come_back() {
    let memory = limits::Memory { max: Some(1000), ..limits::Memory::default() };
    let gateway = echo_with(|config| config.memory = memory);
    gateway.memory().set_resident(949);
    let get = || request("GET /things/7", &[], "");
    let (seen, _) = ask(&gateway, Limits::default(), Scripted::unary(b"\x08\x07"), get()).await;
    assert_eq!(seen.status, 200);
    gateway.memory().set_resident(950);
    let (mut seen, counted) = ask(&gateway, Limits::default(), Scripted::unary(b""), get()).await;
    assert_eq!(seen.headers.remove("retry-after").as_ref().map(|value| value.as_bytes()), Some(&b"1"[..]));
    assert_eq!(seen, error(503, 14, "the gateway is short of memory: try again in a moment"));
    assert_eq!(counted, limit("memory"));
}

#[tokio::test]
async fn messages_of_a_reply_are_limited_by_upstream_and_by_route() {
    let name = "x".repeat(100);
    let message = [&b"\x12\x64"[..], name.as_bytes()].concat();
    for by_route in [false, true] {
        let gateway = echo_with(|config| match by_route {
            false => config.upstreams[0].replies.max_message = 101,
            true => config.routes[0].max_message = Some(101),
        });
        let asked = request("GET /things/7", &[], "");
        let (seen, counted) = ask(&gateway, Limits::default(), Scripted::unary(&message), asked).await;
        assert_eq!(seen, error(502, 13, "the upstream's reply: a message of 102 bytes is above the limit of 101"));
        assert_eq!(counted, limit("message_bytes"));
    }
}

#[tokio::test]
async fn a_message_that_swells_is_refused() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).expect("memory");
    let bomb = encoder.finish().expect("memory");
    let mut reply = Scripted::new(vec![Frame::data(framed(1, &bomb)), trailers(&[("grpc-status", "0")])]);
    reply.head.headers_mut().extend(headers(&[("grpc-encoding", "gzip")]));
    let asked = request("GET /things/7", &[], "");
    let (seen, counted) = ask(&echo_with(|_| {}), Limits::default(), reply, asked).await;
    let want = "the upstream's reply: the message is more than 100 times larger than its compressed form";
    assert_eq!(seen, error(502, 13, want));
    assert_eq!(counted, limit("message_ratio"));
}

#[tokio::test]
async fn a_large_reply_comes_in_pieces_and_ends_with_the_last() {
    let name = "x".repeat(200_000);
    let mut message = vec![0x12, 0xc0, 0x9a, 0x0c];
    message.extend_from_slice(name.as_bytes());
    let gateway = echo_with(|_| {});
    let response = {
        let asked = request("GET /things/7", &[], "");
        pipeline::handle(&gateway, &Single(Scripted::unary(&message)), asked, &Peer::unknown()).await
    };
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(200_011));
    let mut pieces = Vec::new();
    while !body.is_end_stream() {
        assert_eq!(gateway.telemetry().metrics.in_flight().get(), 1);
        let frame = body.frame().await.expect("there is more").expect("it does not break off");
        pieces.push(frame.into_data().expect("data").len());
    }
    assert_eq!(pieces, [65_536, 65_536, 65_536, 200_011 - 3 * 65_536]);
    drop(body);
    assert_eq!(gateway.telemetry().metrics.in_flight().get(), 0);
}

/// Of one connection only so much waits here; the rest waits with the upstream.
#[tokio::test(start_paused = true)]
async fn large_replies_that_a_client_does_not_take_hold_up_its_next_ones() {
    let mut message = vec![0x12, 0x80, 0x80, 0x40];
    message.resize(4 + (1 << 20), b'x');
    let whole = framed(0, &message);
    let reply = || {
        let pieces = [whole.slice(..20_000), whole.slice(20_000..)].map(Frame::data);
        Scripted::new(pieces.into_iter().chain([trailers(&[("grpc-status", "0")])]).collect())
    };
    let gateway = echo_with(|_| {});
    let (peer, other) = (Peer::unknown(), Peer::unknown());
    let get =
        async |peer: &Peer| pipeline::handle(&gateway, &Single(reply()), request("GET /things/7", &[], ""), peer).await;
    let first = get(&peer).await;
    let second = get(&peer).await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 504));
    assert_eq!(get(&other).await.status().as_u16(), 200);
    drop(first);
    assert_eq!(get(&peer).await.status().as_u16(), 200);
}

/// The same of streams, message by message.
#[tokio::test(start_paused = true)]
async fn large_messages_of_streams_wait_for_those_that_are_not_taken() {
    let mut message = vec![0x12, 0x80, 0x80, 0x40];
    message.resize(4 + (1 << 20), b'x');
    let whole = framed(0, &message);
    let reply = || {
        let pieces = [whole.slice(..20_000), whole.slice(20_000..)].map(Frame::data);
        let mut scripted = Scripted::new(pieces.into_iter().chain([data(b"\x08\x01")]).collect());
        scripted.hangs = true;
        scripted
    };
    let gateway = echo_with(|_| {});
    let peer = Peer::unknown();
    let watch = async || {
        let asked = request("GET /things/7:watch", &[("x-request-timeout", "60")], "");
        pipeline::handle(&gateway, &Single(reply()), asked, &peer).await
    };
    let first = watch().await;
    let second = watch().await;
    // It was never begun: its status line can tell.
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 504));
    let mut first = first.into_body();
    // The large one is taken, and the small one behind it.
    for _ in 0..2 {
        first.frame().await.expect("there is more").expect("it does not break off");
    }
    assert_eq!(watch().await.status().as_u16(), 200);
}
