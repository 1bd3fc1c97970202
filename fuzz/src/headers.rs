//! Headers, both ways, through the whole pipeline.

mod upstream;

use crate::requests::chosen;
use crate::schema::{SCHEMA, assert_is_json};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, request};
use http_body_util::{BodyExt, Collected, Full};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tidegate_control::Source;
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Single, Snapshot, Telemetry, pipeline};
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::trace_context::TraceContext;
use tidegate_transcode::Status;
use tidegate_transcode::stream::Framing;
use tokio::runtime::{Builder, Runtime};
use upstream::Scripted;

/// Headers of either side.
const HEADERS: usize = 100;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Names that are for one connection.
const HOP: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "trailer"];

/// With every default.
const CONFIG: &str = "
listeners: [{ bind: 127.0.0.1:0 }]
upstreams: { up: { endpoints: [127.0.0.1:1], schema: { proto: [proto/] } } }
routes: [{ service: fuzz.Modern, upstream: up }]
";

static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| {
    let source = Source::new("tidegate.yaml", CONFIG);
    let loaded =
        tidegate_control::parse(source, Path::new(env!("CARGO_MANIFEST_DIR")), &|_| None).expect("the config is good");
    let metrics = Arc::new(Metrics::new("0", 1));
    let schemas = Schemas::from([("up".to_owned(), Arc::clone(&SCHEMA))]);
    let snapshot = Snapshot::compile(loaded.config, &schemas, &metrics, 1).expect("the schema has the service");
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
});

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// One byte that chooses the request (its high bit: a native call), then lines `name: value`; behind a zero byte the
/// headers of the reply, behind another its trailers.
///
/// Whatever comes, the answer is complete and well-formed. Nothing passes, either way, that belongs to one hop, to the
/// protocols, or to the gateway; what the gateway writes is there once, and well-formed.
pub fn headers(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let mut blocks = rest.splitn(3, |byte| *byte == 0).map(lines);
    let mut next = || blocks.next().unwrap_or_default();
    let (mut asked, replied, trailers) = (next(), next(), next());
    for value in asked.values() {
        values(value);
    }
    let (mut method, mut path) = chosen(choice);
    if choice & 0x80 != 0 {
        (method, path) = ("POST", "/fuzz.Modern/Query");
        asked.entry(CONTENT_TYPE).or_insert(GRPC);
    }
    let mut request = Request::builder().method(method).uri(path).version(http::Version::HTTP_2);
    *request.headers_mut().expect("method and path are good") = asked.clone();
    let request = request.body(Full::new(Bytes::new())).expect("a request");
    let upstream = Single(Scripted::new(replied, trailers));
    let (head, body) = RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let answer = pipeline::handle(&GATEWAY, &upstream, request, &Peer::unknown()).await;
            let (head, body) = answer.into_parts();
            // A stream may break off, but not without a word: its error is in the body, or it is cut.
            (head, body.collect().await)
        })
    });
    let native = method == "POST" && is_grpc(&asked);
    if let Some(head) = upstream.0.request() {
        check_call(&asked, &head, native);
    }
    check_hop(&head.headers);
    match body {
        Ok(body) if native => {
            let told = body.trailers().and_then(Status::from_trailers).or_else(|| Status::from_trailers(&head.headers));
            assert!(head.status == http::StatusCode::OK && told.is_some(), "{head:?}");
        }
        Err(_) if native => panic!("a native call ends with a status"),
        body => check_answer(&Response::from_parts(head, ()), body.ok().map(Collected::to_bytes)),
    }
}

/// The request is a native call, by its content type.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    let rest = content_type.as_deref().and_then(|value| value.strip_prefix(GRPC.as_bytes()));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// Nothing of the connection passes.
fn check_hop(headers: &HeaderMap) {
    for name in HOP {
        assert!(!headers.contains_key(name), "{name} passed");
    }
}

fn lines(block: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in block.split(|byte| *byte == b'\n').take(HEADERS) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// The parsers of single values.
fn values(value: &HeaderValue) {
    if let Ok(context) = TraceContext::parse(value.as_bytes()) {
        let written = context.to_traceparent();
        assert_eq!(TraceContext::parse(&written), Ok(context));
    }
    if let Ok(text) = value.to_str() {
        let framing = Framing::from_accept(Some(text));
        assert_eq!(Framing::from_accept(Some(&text.to_ascii_uppercase())), framing, "{text}");
        assert_eq!(Framing::from_accept(Some(&format!(" {text} "))), framing, "{text}");
    }
}

/// What the upstream gets.
fn check_call(asked: &HeaderMap, head: &request::Parts, native: bool) {
    let once = |name: &str| {
        let mut values = head.headers.get_all(name).iter();
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value.map(|value| value.to_str().expect("what we write is ASCII"))
    };
    assert_eq!(once("te"), Some("trailers"));
    if !native {
        assert_eq!(once("content-type"), Some("application/grpc"));
        assert!(once("user-agent").is_some_and(|agent| agent.starts_with("tidegate/")));
    }
    assert!(once("x-request-id").is_some_and(|id| tidegate_telemetry::request_id::is_well_formed(id.as_bytes())));
    assert!(once("traceparent").is_some_and(|context| TraceContext::parse(context.as_bytes()).is_ok()));
    if let Some(timeout) = once("grpc-timeout") {
        let (digits, unit) = timeout.split_at(timeout.len() - 1);
        assert!((1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()), "{timeout}");
        assert!("HMSmun".contains(unit), "{timeout}");
    }
    check_hop(&head.headers);
    assert!(!head.headers.contains_key("host"));
    for (name, value) in &head.headers {
        let name = name.as_str();
        let said = |header: &HeaderValue| asked.get_all(name).iter().any(|value| value == header);
        if matches!(name, "forwarded" | "x-real-ip") || name.starts_with("x-forwarded-") || name.starts_with("x-envoy-")
        {
            let of_ours = matches!(name, "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto");
            assert!(of_ours, "{name} passed");
        }
        assert!(
            native
                || !name.starts_with("grpc-")
                || !said(value)
                || matches!(name, "grpc-timeout" | "grpc-accept-encoding"),
            "{name} passed"
        );
    }
}

/// What the client gets.
fn check_answer(head: &Response<()>, body: Option<Bytes>) {
    assert!((200..600).contains(&head.status().as_u16()), "{}", head.status());
    let headers = head.headers();
    assert!(!headers.contains_key("te") && !headers.contains_key("server"));
    for name in headers.keys() {
        assert!(!name.as_str().starts_with("grpc-") && !name.as_str().starts_with("tidegate-"), "{name} passed");
    }
    for name in ["content-type", "x-request-id"] {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
    }
    let Some(body) = body else { return };
    match headers[CONTENT_TYPE].as_bytes() {
        b"application/json" => assert_is_json(&body),
        b"application/x-ndjson" => {
            body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(assert_is_json);
        }
        b"text/event-stream" => assert!(body.is_empty() || body.ends_with(b"\n\n")),
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}
