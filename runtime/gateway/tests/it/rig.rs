//! A gateway over a small schema, and an upstream whose every frame a test chooses.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tidegate_gateway::config::{Config, HostPattern, Place, Route, Schema, SchemaSource, Upstream};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Single, Snapshot, Telemetry, Upstreams, pipeline};
use tidegate_schema::Compiler;
use tidegate_telemetry::metrics::Metrics;
use tidegate_transcode::ports::SchemaCompiler;
use tidegate_upstream::{Call, CallError, RequestBody};

/// The schema of the scripted upstream.
pub(crate) const ECHO: &str = r#"
syntax = "proto3";
package test;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
service Echo {
  rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/things/{id}" }; }
  rpc Put(Thing) returns (Thing) { option (google.api.http) = { put: "/things/{id}" body: "*" }; }
  rpc Watch(Thing) returns (stream Thing) { option (google.api.http) = { get: "/things/{id}:watch" }; }
  rpc Upload(stream Thing) returns (Thing) { option (google.api.http) = { post: "/things:upload" body: "*" }; }
  rpc Chat(stream Thing) returns (stream Thing) { option (google.api.http) = { post: "/things/{id}:chat" body: "*" }; }
  rpc Download(Thing) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/raw/{id}:download" }; }
  rpc Raw(Thing) returns (google.api.HttpBody) { option (google.api.http) = { get: "/raw/{id}" }; }
}
message Thing { int32 id = 1; string name = 2; }
"#;

/// The schema of these `.proto` files.
pub(crate) fn schema(files: &[(&str, &str)]) -> Arc<tidegate_protojson::Schema> {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
        std::fs::write(path, text).expect("proto file");
    }
    let set = Compiler::default().compile(&[folder.path().into()]).expect("protos compile");
    Arc::new(tidegate_protojson::Schema::compile(&[&set]).expect("descriptors compile"))
}

/// A gateway for these `.proto` files and services, all behind one upstream.
pub(crate) fn gateway(files: &[(&str, &str)], services: &[&str], change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    let schema = schema(files);
    let mut config = Config { upstreams: vec![upstream("up", SchemaSource::None)], ..Config::default() };
    config.routes.extend(services.iter().map(|service| route(service, HostPattern::Any, "up")));
    change(&mut config);
    let metrics = Arc::new(Metrics::new("0", 1));
    let schemas = Schemas::from([("up".to_owned(), schema)]);
    let snapshot = Snapshot::compile(config, &schemas, &metrics, 1).expect("the config compiles");
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

pub(crate) fn upstream(name: &str, source: SchemaSource) -> Upstream {
    let endpoint = tidegate_upstream::Endpoint { host: "127.0.0.1".into(), port: 1 };
    Upstream {
        name: name.into(),
        pool: tidegate_upstream::Config::new(name, vec![endpoint]),
        replies: Default::default(),
        protection: Default::default(),
        schema: Schema { source, ..Schema::default() },
        place: Place::default(),
    }
}

pub(crate) fn route(service: &str, host: HostPattern, upstream: &str) -> Route {
    Route { service: service.into(), host, upstream: upstream.into(), ..Route::default() }
}

pub(crate) fn echo() -> Arc<Gateway> {
    gateway(&[("echo.proto", ECHO)], &["test.Echo"], |_| {})
}

/// Answers every call with the same head and frames, and remembers the last request.
pub(crate) struct Scripted {
    pub(crate) head: Response<()>,
    pub(crate) frames: Vec<Frame<Bytes>>,
    /// After the last frame: end, or never end.
    pub(crate) hangs: bool,
    /// Never answers at all.
    pub(crate) silent: bool,
    pub(crate) seen: Mutex<Option<(http::request::Parts, Bytes)>>,
    /// Counts bodies and calls that were dropped before their end.
    pub(crate) cancelled: Arc<Mutex<u32>>,
}

impl Scripted {
    pub(crate) fn new(frames: Vec<Frame<Bytes>>) -> Self {
        let head = Response::builder().header("content-type", "application/grpc").body(()).expect("head");
        Self { head, frames, hangs: false, silent: false, seen: Mutex::default(), cancelled: Arc::default() }
    }

    /// One message and an OK status.
    pub(crate) fn unary(message: &[u8]) -> Self {
        Self::new(vec![data(message), trailers(&[("grpc-status", "0")])])
    }

    pub(crate) fn request(&self) -> (http::request::Parts, Bytes) {
        self.seen.lock().take().expect("the upstream was called")
    }
}

impl Call for Scripted {
    type Body = ScriptedBody;

    fn call(
        &self,
        request: Request<RequestBody>,
        _deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Response<ScriptedBody>, CallError>> + Send {
        let (parts, ()) = self.head.clone().into_parts();
        let frames = self.frames.iter().map(clone).collect();
        let answer = ScriptedBody { frames, hangs: self.hangs, cancelled: Arc::clone(&self.cancelled), done: false };
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("the request's body ends well").to_bytes();
            *self.seen.lock() = Some((head, body));
            if self.silent {
                std::future::pending::<()>().await;
            }
            Ok(Response::from_parts(parts, answer))
        }
    }

    fn endpoint(_body: &ScriptedBody) -> Option<&str> {
        None
    }
}

impl ScriptedBody {
    /// These frames, and the end.
    pub(crate) fn of(frames: Vec<Frame<Bytes>>) -> Self {
        Self { frames: frames.into(), hangs: false, cancelled: Arc::default(), done: false }
    }
}

pub(crate) struct ScriptedBody {
    frames: VecDeque<Frame<Bytes>>,
    hangs: bool,
    cancelled: Arc<Mutex<u32>>,
    done: bool,
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None if self.hangs => Poll::Pending,
            None => {
                self.done = true;
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for ScriptedBody {
    fn drop(&mut self) {
        if !self.done && !self.frames.is_empty() || self.hangs {
            *self.cancelled.lock() += 1;
        }
    }
}

/// The body of a request that stops: for good, or with an error.
pub(crate) struct Stopped(pub(crate) Option<std::io::ErrorKind>);

impl Body for Stopped {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.map_or(Poll::Pending, |kind| Poll::Ready(Some(Err(kind.into()))))
    }
}

fn clone(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => Frame::data(data.clone()),
        (_, Some(trailers)) => Frame::trailers(trailers.clone()),
        _ => panic!("data or trailers"),
    }
}

/// A gRPC frame around a message.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut bytes = vec![flag];
    bytes.extend_from_slice(&u32::try_from(message.len()).expect("small").to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

pub(crate) fn data(message: &[u8]) -> Frame<Bytes> {
    Frame::data(framed(0, message))
}

pub(crate) fn trailers(lines: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    Frame::trailers(headers(lines))
}

pub(crate) fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
    };
    lines.iter().map(pair).collect()
}

/// `METHOD /path`, then headers.
pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let (method, uri) = line.split_once(' ').expect("METHOD /path");
    let mut builder = Request::builder().method(method).uri(uri).version(http::Version::HTTP_2);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request")
}

/// What the client sees: status, content type, body; the request id, which is random, is checked and left out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) async fn send<U, B>(gateway: &Arc<Gateway>, upstreams: &U, request: Request<B>) -> Seen
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    U: Upstreams,
    <U::Call as Call>::Body: Unpin,
{
    let response = pipeline::handle(gateway, upstreams, request, &Peer::unknown()).await;
    let (mut head, body) = response.into_parts();
    assert!(head.headers.remove("x-request-id").is_some(), "every answer names its request");
    let body = body.collect().await.expect("the stream does not break off").to_bytes();
    Seen { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.into()).expect("text") }
}

/// One request to the echo schema, answered by a script.
pub(crate) async fn ask(scripted: Scripted, request: Request<Full<Bytes>>) -> (Seen, Single<Scripted>) {
    let upstreams = Single(scripted);
    (send(&echo(), &upstreams, request).await, upstreams)
}

pub(crate) fn json(status: u16, body: &str) -> Seen {
    Seen { status, headers: headers(&[("content-type", "application/json")]), body: body.into() }
}

/// An answer with status 200 in this form.
pub(crate) fn seen_as(content_type: &'static str, body: &str) -> Seen {
    Seen { status: 200, headers: headers(&[("content-type", content_type)]), body: body.into() }
}
