//! REST → streams of requests, frame by frame.

use crate::rig::{Scripted, ask, data, framed, headers, json, request, seen_as, trailers};
use bytes::Bytes;

const UPLOAD: &str = "POST /things:upload";
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

fn frames(messages: &[&[u8]]) -> Bytes {
    messages.iter().flat_map(|message| framed(0, message)).collect()
}

#[tokio::test]
async fn each_line_is_a_message_and_the_answer_is_one_json() {
    let body = "{\"id\":1}\r\n\n{\"name\":\"x\"}";
    let (seen, up) = ask(Scripted::unary(b"\x08\x02"), request(UPLOAD, &[NDJSON], body)).await;
    assert_eq!(seen, json(200, r#"{"id":2}"#));
    let (head, sent) = up.0.request();
    assert_eq!((head.uri.path(), sent), ("/test.Echo/Upload", frames(&[b"\x08\x01", b"\x12\x01x"])));
    assert!(!head.headers.contains_key("grpc-timeout"), "a stream has no deadline of its own");
}

#[tokio::test]
async fn the_elements_of_an_array_are_messages() {
    let (seen, up) = ask(Scripted::unary(b""), request(UPLOAD, &[], r#"[{"id":1}, {"name":"x"}]"#)).await;
    assert_eq!((seen, up.0.request().1), (json(200, "{}"), frames(&[b"\x08\x01", b"\x12\x01x"])));
}

#[tokio::test]
async fn a_body_without_messages_is_a_stream_without_messages() {
    let (seen, up) = ask(Scripted::unary(b""), request(UPLOAD, &[NDJSON], "\n")).await;
    assert_eq!((seen, up.0.request().1), (json(200, "{}"), Bytes::new()));
}

#[tokio::test]
async fn what_the_path_says_is_in_the_first_message() {
    let replies = || Scripted::new(vec![data(b"\x08\x01"), data(b"\x08\x02"), trailers(&[("grpc-status", "0")])]);
    let body = "{\"name\":\"x\"}\n{\"name\":\"y\"}\n";
    let asked = request("POST /things/7:chat", &[NDJSON, ("accept", "application/x-ndjson")], body);
    let (seen, up) = ask(replies(), asked).await;
    assert_eq!(seen, seen_as("application/x-ndjson", "{\"id\":1}\n{\"id\":2}\n"));
    assert_eq!(up.0.request().1, frames(&[b"\x12\x01x\x08\x07", b"\x12\x01y"]));
    let (seen, _) = ask(replies(), request("POST /things/7:chat", &[NDJSON], body)).await;
    assert_eq!(seen, seen_as("application/json", r#"[{"id":1},{"id":2}]"#));
}

#[tokio::test]
async fn only_messages_are_limited_not_their_number() {
    let line = format!("{{\"name\":\"{}\"}}\n", "x".repeat(1 << 20));
    let length = (5 * line.len()).to_string();
    let asked = request(UPLOAD, &[NDJSON, ("content-length", &length)], &line.repeat(5));
    let (seen, up) = ask(Scripted::unary(b""), asked).await;
    assert_eq!((seen, up.0.request().1.len()), (json(200, "{}"), 5 * (5 + 4 + (1 << 20))));
}

#[tokio::test]
async fn a_body_that_is_no_stream_is_415() {
    let asked = request(UPLOAD, &[("content-type", "application/x-www-form-urlencoded")], "{}");
    let (seen, up) = ask(Scripted::unary(b""), asked).await;
    assert_eq!((seen.status, seen.headers), (415, headers(&[("content-type", "application/json")])));
    assert!(up.0.seen.lock().is_none(), "nothing was called");
}
