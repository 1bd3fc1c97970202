//! Native gRPC: a call that goes through as it is. Its messages are not looked at.
//!
//! Match, open, call and close as in [`super`], for clients that speak gRPC themselves. What goes
//! wrong here is told in their protocol: HTTP 200, and the status where trailers stand.

mod reply;
mod request;

use super::admit::limit;
use super::attempts::{Called, call};
use super::{BodyOf, arrival, choose, open};
use crate::answer::{Answer, Refusal};
use crate::exchange::Exchange;
use crate::headers::{move_native_request, strip_native_reply};
use crate::idle::Over;
use crate::local;
use crate::metadata::{self, GRPC_TIMEOUT};
use crate::peer::Peer;
use crate::snapshot::{RoutedRpc, Snapshot};
use crate::upstreams::Upstreams;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Version, request as http_request};
use http_body::Body;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use tidegate_transcode::{Code, Status};
use tidegate_upstream::{CallError, RequestBody};

pub(crate) use reply::Pass;
pub(crate) use request::read_in_time;

/// How the messages of a call are compressed.
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What a request is, by its method and content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Not gRPC.
    Other,
    /// `application/grpc`, alone, with a codec (`+proto`) or with parameters.
    Grpc,
    /// A relative of gRPC that is not served: `application/grpc-web`, …
    Relative,
}

/// Looks at method and content type.
pub(super) fn protocol(head: &http_request::Parts) -> Protocol {
    const GRPC: &[u8] = b"application/grpc";
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match content_type.split_at_checked(GRPC.len()) {
        Some((kind, rest)) if kind.eq_ignore_ascii_case(GRPC) && head.method == Method::POST => match rest.first() {
            None | Some(b'+' | b';' | b' ') => Protocol::Grpc,
            Some(_) => Protocol::Relative,
        },
        _ => Protocol::Other,
    }
}

/// Whether a request is a native call.
pub(crate) fn is_call(head: &http_request::Parts) -> bool {
    protocol(head) == Protocol::Grpc
}

/// gRPC that cannot be answered as gRPC, for want of trailers or because it is another protocol.
pub(super) fn check_protocol(protocol: Protocol, head: &http_request::Parts) -> Result<(), Refusal> {
    if protocol == Protocol::Relative {
        let found = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("?");
        let found: String = found.chars().take(64).collect();
        let message = format!("content type `{found}` is not served here: send application/grpc or JSON");
        return Err(Refusal::new(Answer::UnsupportedMediaType, message));
    }
    if protocol == Protocol::Grpc && head.version < Version::HTTP_2 {
        return Err(Refusal::new(Answer::BadRequest, "gRPC needs HTTP/2: this request came over HTTP/1"));
    }
    Ok(())
}

/// Whether a request that no rule matches would have been a call, had it been sent as one.
pub(super) fn is_path_of_rpc(snapshot: &Snapshot, head: &http_request::Parts) -> bool {
    head.method == Method::POST && snapshot.find_rpc(&head.uri, &head.headers).is_some()
}

/// The answer to such a request.
pub(super) fn wrong_content_type() -> Refusal {
    let message = "this is the path of a gRPC method, which no http rule binds: send application/grpc";
    Refusal::new(Answer::UnsupportedMediaType, message)
}

/// What a call is answered with.
pub(super) enum Served<R> {
    /// What the upstream says.
    Upstream(Response<R>),
    /// What the gateway says.
    Local(local::Source),
}

/// Serves a call that [`protocol`] took for gRPC.
pub(super) async fn serve<U, B>(
    upstreams: &U,
    mut head: http_request::Parts,
    body: B,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<Served<BodyOf<U>>, Refusal>
where
    U: Upstreams,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let snapshot = Arc::clone(exchange.snapshot());
    arrival::check(exchange, &head)?;
    let Some(routed) = snapshot.find_rpc(&head.uri, &head.headers) else {
        let method = snapshot.local.find(&head.uri).ok_or_else(|| unknown_service(head.uri.path()))?;
        return local::serve(method, &head, body, exchange).await.map(Served::Local);
    };
    exchange.routed_rpc(&routed);
    let index = choose::upstream(routed.route.canary.as_ref(), routed.route.upstream, &head, peer, exchange);
    exchange.set_rpc_deadline(&head.headers, &routed)?;
    let limits = &routed.route.limits;
    limit::before(limits, &head, peer, exchange).await?;
    let mut plan = routed.plan(&snapshot, index, &head.headers, peer);
    let body = request::body(body, &routed, exchange).await?;
    let encoding = compressed_by(&head.headers, exchange);
    let called = limit::Called { rpc: &routed.method.name, schema: &routed.route.schema, body: &body, encoding };
    limit::with(limits, called, &head, peer, exchange).await?;
    let metadata = metadata(&mut head, peer, &routed, exchange);
    let request = request(&routed, metadata, body);
    let encoding = compressed_by(request.headers(), exchange);
    plan.look_into(&routed.route.schema, request.body(), encoding);
    let reply = if routed.streams() {
        let watch = exchange.watch();
        let call = pin!(call(upstreams, request, &plan, exchange));
        watch.first(call).await.unwrap_or_else(|over| Err(refuse_over(over)))?
    } else {
        call(upstreams, request, &plan, exchange).await?
    };
    let reply = match reply {
        Called::Reply(reply) => reply,
        Called::Canned(canned) => return Ok(Served::Local(local::Source::once(&canned.bytes))),
    };
    exchange.upstream_answered();
    close(reply).map(Served::Upstream)
}

/// How the messages of a call are compressed, if they are.
fn compressed_by<'h>(headers: &'h HeaderMap, exchange: &Exchange) -> Option<&'h str> {
    if !exchange.sent_headers().grpc_encoding {
        return None;
    }
    headers.get(GRPC_ENCODING)?.to_str().ok()
}

/// The headers of the call: those that came, but for what is this hop's own.
fn metadata(head: &mut http_request::Parts, peer: &Peer, routed: &RoutedRpc<'_>, exchange: &Exchange) -> HeaderMap {
    let mut came = std::mem::take(&mut head.headers);
    let mut metadata = metadata::begin(peer.forwarded_for());
    metadata::set(&mut metadata, GRPC_TIMEOUT, exchange.grpc_timeout());
    exchange.write_ids(&mut metadata);
    let sent = exchange.sent_headers();
    let host = if sent.host { came.get(HOST).cloned() } else { None };
    open::write_origin(&came, open::asked_host(host, &head.uri), peer, &mut metadata);
    if !sent.user_agent {
        // What is there is ours, which is not who calls.
        metadata.remove(USER_AGENT);
    }
    if sent.trace_context && exchange.begins_trace() {
        came.remove(open::TRACESTATE);
    }
    move_native_request(came, &mut metadata);
    let facts = choose::facts(routed.route.upstream, exchange, peer);
    routed.route.headers.apply_native(peer, &facts, &mut metadata);
    metadata
}

fn request(routed: &RoutedRpc<'_>, metadata: HeaderMap, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = routed.uri.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata;
    request
}

/// The reply's head becomes the client's, if it is gRPC.
///
/// Source of the codes: gRPC's `doc/http-grpc-status-mapping.md`.
fn close<R>(reply: Response<R>) -> Result<Response<R>, Refusal>
where
    R: Body<Data = Bytes, Error = CallError>,
{
    let (mut head, body) = reply.into_parts();
    if head.status != StatusCode::OK {
        return Err(Refusal::with_status(Answer::BadReply, Status::from_http(head.status)));
    }
    let has_status = Status::code_in(&head.headers).is_some();
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !has_status && !content_type.starts_with(b"application/grpc") {
        let status = Status::new(Code::Unknown, "the upstream's reply is not gRPC");
        return Err(Refusal::with_status(Answer::BadReply, status));
    }
    if !has_status && body.is_end_stream() {
        return Err(super::close::bad_reply("the upstream's reply has no grpc-status"));
    }
    strip_native_reply(&mut head.headers);
    head.extensions.clear();
    Ok(Response::from_parts(head, body))
}

/// A status and nothing else ("trailers-only"): an answer of our own to a native call.
pub(crate) fn answer(refusal: Refusal) -> HeaderMap {
    let mut headers = refusal.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    refusal.status.write_trailers(&mut headers);
    headers
}

/// As `UNIMPLEMENTED`, which is what a server of gRPC says of a service that it does not have.
fn unknown_service(path: &str) -> Refusal {
    let service = path.trim_start_matches('/').rsplit_once('/').map(|(service, _)| service);
    let message = match service {
        Some(service) if !service.is_empty() => format!("no service {service} is served here"),
        _ => format!("{path} is no path of a gRPC method"),
    };
    Refusal::with_status(Answer::NoRoute, Status::new(Code::Unimplemented, message))
}

/// A stream that took too long, or in which nothing came.
pub(crate) fn refuse_over(over: Over) -> Refusal {
    match over {
        Over::Deadline => Refusal::new(Answer::Deadline, "the deadline passed before the stream ended"),
        Over::Silent(limit) => super::stream::silent(limit),
    }
}
