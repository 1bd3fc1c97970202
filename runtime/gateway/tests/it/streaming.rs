//! Server streams: three framings, early and late errors.

use crate::rig::seen_as as seen;
use crate::rig::{Scripted, Seen, ask, data, echo, headers, request, trailers};
use bytes::Bytes;
use http_body_util::BodyExt;
use tidegate_gateway::pipeline::{self, ReplyError};
use tidegate_gateway::{Peer, Single};

const OK: [(&str, &str); 1] = [("grpc-status", "0")];
const LATE: [(&str, &str); 2] = [("grpc-status", "8"), ("grpc-message", "enough")];

async fn watch(scripted: Scripted, accept: &str) -> Seen {
    ask(scripted, request("GET /things/1:watch", &[("accept", accept)], "")).await.0
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

#[tokio::test]
async fn lines_of_accept_are_one_list() {
    let lines = [("accept", "image/png"), ("accept", "application/x-ndjson")];
    let (got, _) = ask(two(&OK), request("GET /things/1:watch", &lines, "")).await;
    assert_eq!(got, seen("application/x-ndjson", "{\"id\":1}\n{\"id\":2}\n"));
}

#[tokio::test]
async fn a_stream_that_the_client_cannot_take_is_refused_without_a_call() {
    let (got, up) = ask(two(&OK), request("GET /things/1:watch", &[("accept", "image/png")], "")).await;
    assert_eq!(got.status, 406);
    assert!(up.0.seen.lock().is_none(), "nothing was called");
}

#[tokio::test]
async fn a_status_in_the_head_alone_is_an_empty_stream() {
    let mut scripted = Scripted::new(Vec::new());
    scripted.head.headers_mut().extend(headers(&OK));
    assert_eq!(watch(scripted, "application/json").await, seen("application/json", "[]"));
}

#[tokio::test]
async fn a_stream_that_fails_at_once_keeps_its_metadata() {
    let mut scripted = Scripted::new(vec![trailers(&[("grpc-status", "8"), ("x-last", "z")])]);
    scripted.head.headers_mut().extend(headers(&[("x-first", "a")]));
    let want = headers(&[("x-first", "a"), ("x-last", "z"), ("content-type", "application/json")]);
    let got = watch(scripted, "*/*").await;
    assert_eq!(got, Seen { status: 429, headers: want, body: r#"{"code":8,"message":""}"#.into() });
}

const PART: &[u8] = b"\x0a\x08text/csv\x12\x03a,b";

async fn download(frames: Vec<http_body::Frame<Bytes>>) -> (http::response::Parts, Vec<Result<Bytes, ReplyError>>) {
    let up = Single(Scripted::new(frames));
    let asked = request("GET /raw/1:download", &[("accept", "text/csv")], "");
    let (head, mut body) = pipeline::handle(&echo(), &up, asked, &Peer::unknown()).await.into_parts();
    let mut pieces = Vec::new();
    while let Some(piece) = body.frame().await {
        let failed = piece.is_err();
        pieces.push(piece.map(|frame| frame.into_data().expect("data")));
        if failed {
            break;
        }
    }
    (head, pieces)
}

#[tokio::test]
async fn a_raw_stream_has_the_content_type_of_its_first_message() {
    let (head, pieces) = download(vec![data(PART), data(PART), trailers(&OK)]).await;
    assert_eq!((head.status.as_u16(), &head.headers["content-type"]), (200, &"text/csv".parse().expect("value")));
    assert_eq!(pieces.into_iter().collect::<Result<Vec<_>, _>>().map(|all| all.concat()), Ok(b"a,ba,b".to_vec()));
}

#[tokio::test]
async fn a_raw_stream_without_messages_is_an_empty_body() {
    let (head, pieces) = download(vec![trailers(&OK)]).await;
    assert_eq!(
        (head.status.as_u16(), &head.headers["content-type"]),
        (200, &"application/octet-stream".parse().expect("value"))
    );
    assert_eq!(pieces, []);
}

/// What came so far must not look like the whole.
#[tokio::test]
async fn a_raw_stream_that_fails_is_cut_off() {
    let (head, pieces) = download(vec![data(PART), trailers(&LATE)]).await;
    assert_eq!(head.status.as_u16(), 200);
    assert_eq!(pieces, [Ok(Bytes::from_static(b"a,b")), Err(ReplyError)]);
}
