//! Native gRPC goes through as it is.

use crate::rig::{Scripted, Stopped, data, echo, framed, headers, request, trailers};
use bytes::Bytes;
use http::{HeaderMap, Request, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use tidegate_gateway::{Gateway, Peer, Single, pipeline};

/// What a native client sees: HTTP status, headers, messages, trailers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) data: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

pub(crate) async fn tell<B>(gateway: &Arc<Gateway>, up: &Single<Scripted>, request: Request<B>) -> Told
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let response = pipeline::handle(gateway, up, request, &Peer::unknown()).await;
    let (mut head, body) = response.into_parts();
    assert!(head.headers.remove("x-request-id").is_some(), "every answer names its request");
    let body = body.collect().await.expect("a native call ends with trailers");
    let trailers = body.trailers().cloned();
    Told { status: head.status.as_u16(), headers: head.headers, data: body.to_bytes(), trailers }
}

async fn ask(scripted: Scripted, request: Request<Full<Bytes>>) -> (Told, Single<Scripted>) {
    let up = Single(scripted);
    (tell(&echo(), &up, request).await, up)
}

/// A call of `path` with one message.
pub(crate) fn call(path: &str, lines: &[(&str, &str)], message: Bytes) -> Request<Full<Bytes>> {
    let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
    all.extend_from_slice(lines);
    request(&format!("POST {path}"), &all, "").map(|_| Full::new(message))
}

/// An answer of the gateway's own: HTTP 200, a status, nothing else.
pub(crate) fn refused(code: &'static str, message: &'static str) -> Told {
    let lines = [("content-type", "application/grpc"), ("grpc-status", code), ("grpc-message", message)];
    Told { status: 200, headers: headers(&lines), data: Bytes::new(), trailers: None }
}

const GET: &str = "/test.Echo/Get";

#[tokio::test]
async fn bytes_compression_headers_and_trailers_are_untouched() {
    let mut scripted = Scripted::new(vec![
        http_body::Frame::data(framed(1, b"not gzip at all")),
        trailers(&[("grpc-status", "0"), ("x-last-bin", "AP8"), ("x-last-bin", "AQ,Ag"), ("x-last", "\u{fc}")][..3]),
    ]);
    scripted.head.headers_mut().extend(headers(&[("grpc-encoding", "gzip"), ("x-first", "a"), ("x-first", "b")]));
    let lines = [
        ("grpc-encoding", "zstd"),
        ("grpc-accept-encoding", "identity,gzip"),
        ("user-agent", "grpc-test/1"),
        ("x-one", "1"),
        ("x-one", "2"),
        ("x-raw-bin", "AP8"),
        ("x-raw-bin", "AQ,Ag=="),
        ("cookie", "kept"),
        ("x-request-timeout", "metadata"),
    ];
    let message = framed(1, b"compressed, or so it says");
    let (told, up) = ask(scripted, call(GET, &lines, message.clone())).await;
    let want = Told {
        status: 200,
        headers: headers(&[
            ("content-type", "application/grpc"),
            ("grpc-encoding", "gzip"),
            ("x-first", "a"),
            ("x-first", "b"),
        ]),
        data: framed(1, b"not gzip at all"),
        trailers: Some(headers(&[("grpc-status", "0"), ("x-last-bin", "AP8"), ("x-last-bin", "AQ,Ag")])),
    };
    assert_eq!(told, want);

    let (mut head, body) = up.0.request();
    assert_eq!(
        (head.method.as_str(), head.uri.to_string().as_str(), body),
        ("POST", "http://up/test.Echo/Get", message)
    );
    for name in ["x-request-id", "traceparent", "grpc-timeout"] {
        assert!(head.headers.remove(name).is_some(), "{name}");
    }
    let mut want = headers(&[
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-proto", "http"),
    ]);
    want.extend(
        lines.map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))),
    );
    assert_eq!(head.headers, want);
}

#[tokio::test]
async fn what_is_not_for_the_upstream_stays_here() {
    let lines = [
        ("host", "api.test"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-envoy-original-path", "/admin"),
        ("forwarded", "for=6.6.6.6"),
        ("tidegate-anything", "1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-request-id", "abc-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("content-length", "5"),
    ];
    let (_, up) = ask(Scripted::unary(b""), call(GET, &lines, framed(0, b""))).await;
    let (mut head, _) = up.0.request();
    assert!(head.headers.remove("grpc-timeout").is_some());
    let want = headers(&[
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("x-request-id", "abc-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "api.test"),
    ]);
    assert_eq!(head.headers, want);
}

#[tokio::test]
async fn a_status_and_nothing_else_stays_that() {
    let mut scripted = Scripted::new(Vec::new());
    scripted.head.headers_mut().extend(headers(&[
        ("grpc-status", "5"),
        ("grpc-message", "no%20thing"),
        ("x-why-bin", "AA"),
    ]));
    let (told, _) = ask(scripted, call(GET, &[], framed(0, b""))).await;
    let lines = [
        ("content-type", "application/grpc"),
        ("grpc-status", "5"),
        ("grpc-message", "no%20thing"),
        ("x-why-bin", "AA"),
    ];
    assert_eq!(told, Told { status: 200, headers: headers(&lines), data: Bytes::new(), trailers: None });
}

#[tokio::test]
async fn a_service_that_is_not_routed_is_unimplemented() {
    let (told, up) = ask(Scripted::unary(b""), call("/other.Service/Do", &[], framed(0, b""))).await;
    assert_eq!(told, refused("12", "no service other.Service is served here"));
    assert!(up.0.seen.lock().is_none(), "nothing was called");
    for path in ["/", "/x", "/test.Echo/"] {
        let (told, _) = ask(Scripted::unary(b""), call(path, &[], framed(0, b""))).await;
        assert_eq!(told.headers["grpc-status"], "12", "{path}");
    }
}

/// The upstream may be newer than the schema that the gateway has.
#[tokio::test]
async fn a_method_that_the_schema_does_not_have_is_passed_on() {
    let (told, up) = ask(Scripted::unary(b"x"), call("/test.Echo/Newer", &[], framed(0, b""))).await;
    assert_eq!((told.data, told.trailers), (framed(0, b"x"), Some(headers(&[("grpc-status", "0")]))));
    let (head, _) = up.0.request();
    assert_eq!(head.uri, "http://up/test.Echo/Newer");
    assert!(!head.headers.contains_key("grpc-timeout"), "it may be a stream");
}

#[tokio::test]
async fn content_types_of_grpc_pass_and_its_relatives_are_415() {
    for content_type in ["application/grpc+proto", "application/grpc;charset=utf-8", "Application/GRPC"] {
        let asked = request(&format!("POST {GET}"), &[("content-type", content_type)], "");
        let (told, up) = ask(Scripted::unary(b""), asked).await;
        assert_eq!(told.trailers, Some(headers(&[("grpc-status", "0")])), "{content_type}");
        assert_eq!(up.0.request().0.headers["content-type"], content_type);
    }
    for content_type in ["application/grpc-web", "application/grpc-web-text+proto", "application/grpcx"] {
        let asked = request(&format!("POST {GET}"), &[("content-type", content_type)], "");
        let (told, _) = ask(Scripted::unary(b""), asked).await;
        let want = format!(
            r#"{{"code":3,"message":"content type `{content_type}` is not served here: send application/grpc or JSON"}}"#
        );
        assert_eq!((told.status, told.data), (415, want.into()));
    }
}

#[tokio::test]
async fn json_at_the_path_of_a_method_is_told_what_to_send() {
    let (told, _) = ask(Scripted::unary(b""), request(&format!("POST {GET}"), &[], "{}")).await;
    let want = concat!(
        r#"{"code":3,"message":"this is the path of a gRPC method, "#,
        r#"which no http rule binds: send application/grpc"}"#
    );
    assert_eq!((told.status, &told.data[..]), (415, want.as_bytes()));
    let (told, _) = ask(Scripted::unary(b""), request(&format!("GET {GET}"), &[], "")).await;
    assert_eq!(told.status, 404);
}

#[tokio::test]
async fn grpc_over_http_1_is_told_that_it_cannot_be() {
    let mut asked = call(GET, &[("host", "x")], framed(0, b""));
    *asked.version_mut() = Version::HTTP_11;
    let (told, _) = ask(Scripted::unary(b""), asked).await;
    let want = r#"{"code":3,"message":"gRPC needs HTTP/2: this request came over HTTP/1"}"#;
    assert_eq!((told.status, &told.data[..]), (400, want.as_bytes()));
}

#[tokio::test]
async fn a_timeout_that_cannot_be_read_is_refused_in_grpc() {
    let (told, _) = ask(Scripted::unary(b""), call(GET, &[("grpc-timeout", "soon")], framed(0, b""))).await;
    let want = refused("3", "header `grpc-timeout` is not one to eight digits and a unit of H, M, S, m, u or n");
    assert_eq!(told, want);
}

#[tokio::test]
async fn an_upstream_that_breaks_off_ends_with_a_status() {
    let (told, _) = ask(Scripted::new(vec![data(b"x")]), call(GET, &[], framed(0, b""))).await;
    let status =
        headers(&[("grpc-status", "13"), ("grpc-message", "the upstream's stream ended without a grpc-status")]);
    assert_eq!((told.data, told.trailers), (framed(0, b"x"), Some(status)));
}

#[tokio::test]
async fn an_upstream_that_answers_with_http_gets_the_code_that_grpc_has_for_it() {
    for (http, code) in [(503, "14"), (404, "12"), (401, "16"), (500, "2")] {
        let mut scripted = Scripted::new(Vec::new());
        *scripted.head.status_mut() = http::StatusCode::from_u16(http).expect("a status");
        let (told, _) = ask(scripted, call(GET, &[], framed(0, b""))).await;
        assert_eq!((told.status, &told.headers["grpc-status"]), (200, &code.parse().expect("a value")), "{http}");
    }
    let mut scripted = Scripted::unary(b"");
    scripted.head.headers_mut().insert("content-type", "text/html".parse().expect("a value"));
    let (told, _) = ask(scripted, call(GET, &[], framed(0, b""))).await;
    assert_eq!(told, refused("2", "the upstream's reply is not gRPC"));
}

/// Longer than what is awaited before the call, and in one piece or many.
#[tokio::test]
async fn a_long_message_streams_and_arrives_whole() {
    let message = framed(0, &vec![7; 300_000]);
    for piece in [message.len(), 16_384, 1_000] {
        let pieces: Vec<_> = message.chunks(piece).map(Bytes::copy_from_slice).collect();
        let frames = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(http_body::Frame::data(piece)));
        let body = http_body_util::StreamBody::new(tokio_stream::iter(frames));
        let up = Single(Scripted::unary(b""));
        tell(&echo(), &up, call(GET, &[], Bytes::new()).map(|_| body)).await;
        assert_eq!(up.0.request().1, message, "pieces of {piece}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_in_time_is_a_deadline() {
    let asked = call(GET, &[("grpc-timeout", "2S")], Bytes::new()).map(|_| Stopped(None));
    let told = tell(&echo(), &Single(Scripted::unary(b"")), asked).await;
    assert_eq!(told, refused("4", "the deadline passed before the request's message came"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_ends_with_a_status_and_cancels_the_call() {
    for silent in [true, false] {
        let mut scripted = Scripted::new(vec![data(b"x")]);
        (scripted.silent, scripted.hangs) = (silent, true);
        let (told, up) = ask(scripted, call("/test.Echo/Watch", &[], framed(0, b""))).await;
        let told = if silent { told.headers } else { told.trailers.expect("trailers") };
        assert_eq!(
            (&told["grpc-status"], &told["grpc-message"]),
            (&"4".parse().expect("value"), &"the stream was silent for 300 s".parse().expect("value"))
        );
        assert_eq!(*up.0.cancelled.lock(), 1);
    }
}

#[tokio::test]
async fn calls_count_under_their_method_and_their_code() {
    let gateway = echo();
    let failed = Scripted::new(vec![trailers(&[("grpc-status", "8")])]);
    tell(&gateway, &Single(Scripted::unary(b"")), call(GET, &[], framed(0, b""))).await;
    tell(&gateway, &Single(failed), call(GET, &[], framed(0, b""))).await;
    for path in ["/test.Echo/A", "/test.Echo/B", "/other.Service/Do"] {
        tell(&gateway, &Single(Scripted::unary(b"")), call(path, &[], framed(0, b""))).await;
    }
    let labels =
        |route, method, code| format!(r#"route="{route}",method="{method}",status_code="200",grpc_code="{code}""#);
    let mut got = crate::ending::counted(&gateway);
    got.sort();
    let want = [
        (labels("(none)", "(any)", "UNIMPLEMENTED"), "1".into()),
        (labels("/test.Echo/(unknown)", "POST", "OK"), "2".into()),
        (labels(GET, "POST", "OK"), "1".into()),
        (labels(GET, "POST", "RESOURCE_EXHAUSTED"), "1".into()),
    ];
    assert_eq!(got, want);
}
