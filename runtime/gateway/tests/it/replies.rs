//! Unary replies, good and broken.

use crate::rig::{Scripted, ask, data, framed, headers, json, request, trailers};
use bytes::Bytes;
use http_body::Frame;
use std::io::Write;

const OK: [(&str, &str); 1] = [("grpc-status", "0")];

async fn reply(scripted: Scripted) -> crate::rig::Seen {
    ask(scripted, request("GET /things/7", &[], "")).await.0
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(message).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn a_message_in_many_pieces_is_put_together() {
    let whole = framed(0, b"\x08\x07\x12\x03abc");
    let mut frames: Vec<_> = whole.iter().map(|byte| Frame::data(Bytes::copy_from_slice(&[*byte]))).collect();
    frames.push(trailers(&OK));
    assert_eq!(reply(Scripted::new(frames)).await, json(200, r#"{"id":7,"name":"abc"}"#));
}

#[tokio::test]
async fn a_compressed_message_is_understood() {
    let frames = vec![Frame::data(framed(1, &gzip(b"\x08\x07"))), trailers(&OK)];
    let mut scripted = Scripted::new(frames);
    scripted.head.headers_mut().insert("grpc-encoding", "gzip".parse().expect("value"));
    assert_eq!(reply(scripted).await, json(200, r#"{"id":7}"#));
}

#[tokio::test]
async fn a_status_without_a_body_is_the_answer() {
    let mut scripted = Scripted::new(Vec::new());
    scripted.head.headers_mut().extend(headers(&[("grpc-status", "16"), ("grpc-message", "who%20are%20you%3F")]));
    assert_eq!(reply(scripted).await, json(401, r#"{"code":16,"message":"who are you?"}"#));
}

#[tokio::test]
async fn what_is_no_grpc_gets_the_code_that_the_mapping_says() {
    let mut scripted = Scripted::new(Vec::new());
    *scripted.head.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    scripted.head.headers_mut().insert("content-type", "text/html".parse().expect("value"));
    let want = r#"{"code":14,"message":"the upstream answered with HTTP status 503 and no grpc-status"}"#;
    assert_eq!(reply(scripted).await, json(503, want));
}

#[tokio::test]
async fn broken_replies_are_502_and_say_what_is_broken() {
    let cases = [
        (vec![data(b"")], "the upstream's reply has no grpc-status"),
        (vec![trailers(&OK)], "the upstream answered OK without a message"),
        (
            vec![Frame::data(framed(1, b"\x08\x07")), trailers(&OK)],
            "the upstream's reply has a compressed message and no grpc-encoding",
        ),
        (vec![data(b""), data(b""), trailers(&OK)], "the upstream answered a unary call with more than one message"),
    ];
    for (frames, want) in cases {
        let want = format!(r#"{{"code":13,"message":"{want}"}}"#);
        assert_eq!(reply(Scripted::new(frames)).await, json(502, &want));
    }
    for frames in [
        vec![data(b"\x12\x01\xff"), trailers(&OK)],
        vec![Frame::data(framed(0, b"abc").slice(..6)), trailers(&OK)],
        vec![Frame::data(framed(9, b"")), trailers(&OK)],
    ] {
        assert_eq!(reply(Scripted::new(frames)).await.status, 502);
    }
    let mut scripted = Scripted::unary(b"");
    scripted.head.headers_mut().insert("content-type", "text/html".parse().expect("value"));
    assert_eq!(reply(scripted).await, json(502, r#"{"code":13,"message":"the upstream's reply is not gRPC"}"#));
}
