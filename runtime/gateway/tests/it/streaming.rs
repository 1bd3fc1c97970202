//! Server streams: three framings, early and late errors.

use crate::rig::{Scripted, Seen, ask, data, headers, request, trailers};

const OK: [(&str, &str); 1] = [("grpc-status", "0")];
const LATE: [(&str, &str); 2] = [("grpc-status", "8"), ("grpc-message", "enough")];

async fn watch(scripted: Scripted, accept: &str) -> Seen {
    ask(scripted, request("GET /things/1:watch", &[("accept", accept)], "")).await.0
}

fn seen(content_type: &'static str, body: &str) -> Seen {
    Seen { status: 200, headers: headers(&[("content-type", content_type)]), body: body.into() }
}

fn two(last: &[(&'static str, &'static str)]) -> Scripted {
    Scripted::new(vec![data(b"\x08\x01"), data(b"\x08\x02"), trailers(last)])
}

#[tokio::test]
async fn messages_are_framed_as_accept_asks() {
    assert_eq!(watch(two(&OK), "*/*").await, seen("application/json", r#"[{"id":1},{"id":2}]"#));
    assert_eq!(watch(two(&OK), "application/x-ndjson").await, seen("application/x-ndjson", "{\"id\":1}\n{\"id\":2}\n"));
    assert_eq!(
        watch(two(&OK), "text/event-stream").await,
        seen("text/event-stream", "data: {\"id\":1}\n\ndata: {\"id\":2}\n\n")
    );
    assert_eq!(watch(two(&OK), "image/png").await.status, 406);
}

#[tokio::test]
async fn an_empty_stream_is_an_empty_list() {
    let empty = || Scripted::new(vec![trailers(&OK)]);
    assert_eq!(watch(empty(), "application/json").await, seen("application/json", "[]"));
    assert_eq!(watch(empty(), "application/x-ndjson").await, seen("application/x-ndjson", ""));
    assert_eq!(watch(empty(), "text/event-stream").await, seen("text/event-stream", ""));
}

#[tokio::test]
async fn an_error_before_the_first_message_is_the_status_line() {
    let early = Scripted::new(vec![trailers(&LATE)]);
    assert_eq!(
        watch(early, "application/x-ndjson").await,
        Seen {
            status: 429,
            headers: headers(&[("content-type", "application/json")]),
            body: r#"{"code":8,"message":"enough"}"#.into(),
        }
    );
}

#[tokio::test]
async fn an_error_in_mid_stream_is_visible_in_every_framing() {
    let error = r#"{"error":{"code":8,"message":"enough"}}"#;
    let want = format!(r#"[{{"id":1}},{{"id":2}},{error}]"#);
    assert_eq!(watch(two(&LATE), "").await, seen("application/json", &want));
    let want = format!("{{\"id\":1}}\n{{\"id\":2}}\n{error}\n");
    assert_eq!(watch(two(&LATE), "application/x-ndjson").await, seen("application/x-ndjson", &want));
    let want = "data: {\"id\":1}\n\ndata: {\"id\":2}\n\nevent: error\ndata: {\"code\":8,\"message\":\"enough\"}\n\n";
    assert_eq!(watch(two(&LATE), "text/event-stream").await, seen("text/event-stream", want));
}

#[tokio::test]
async fn a_stream_that_breaks_says_so() {
    let broken = Scripted::new(vec![data(b"\x08\x01")]);
    let want = r#"[{"id":1},{"error":{"code":13,"message":"the upstream's stream ended without a grpc-status"}}]"#;
    assert_eq!(watch(broken, "*/*").await, seen("application/json", want));
}
