//! Open: the client's request becomes a gRPC call.

use super::admit::too_large;
use super::{choose, upload};
use crate::answer::{Answer, Refusal};
use crate::body_limits::{BodyLimit, Limited};
use crate::config::{DEFAULT_TIMEOUT, Limits, limits};
use crate::exchange::Exchange;
use crate::gathered::Gathered;
use crate::headers::is_nominated;
use crate::metadata::{self, FORWARDED_HOST, GRPC_TIMEOUT};
use crate::peer::Peer;
use crate::snapshot::Routed;
use crate::trust;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version, request};
use http_body::Body;
use std::error::Error;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use tidegate_telemetry::clock;
use tidegate_upstream::RequestBody;

pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// A body is at most this much larger on the wire than its JSON is (`0,` as a `double` is four times).
const WIRE_SLACK: usize = 64;

/// What the body of a request may be: the route's limit, else the listener's.
pub(super) fn body_limits(listener: &Limits, routed: &Routed<'_>) -> limits::Body {
    let limits = listener.body;
    limits::Body { max_bytes: routed.route.max_body.unwrap_or(limits.max_bytes), ..limits }
}

/// Reads the body, translates the request, and writes the call's metadata.
pub(super) async fn request<B>(
    head: &request::Parts,
    body: B,
    limits: limits::Body,
    peer: &Peer,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<Request<RequestBody>, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let body = if routed.takes_stream() {
        upload::body(head, body, limits, routed, exchange)?
    } else {
        whole(head, body, limits, routed, exchange).await?
    };
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = routed.target.uri.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata(head, peer, routed, exchange)?;
    Ok(request)
}

/// Reads the body and makes one message of the request.
async fn whole<B>(
    head: &request::Parts,
    body: B,
    limits: limits::Body,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<RequestBody, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let body = if body.is_end_stream() { Bytes::new() } else { read_in_time(body, limits, exchange).await? };
    exchange.received(body.len());
    let mut frame = Vec::with_capacity(body.len() + WIRE_SLACK);
    let content_type = content_type(head);
    let route = routed.route;
    routed
        .matched
        .write_request(&route.schema, head.uri.query(), content_type, &body, &route.transcode, &mut frame)
        .map_err(Refusal::from_transcoder)?;
    Ok(Bytes::from(frame).into())
}

pub(super) fn content_type(head: &request::Parts) -> Option<&str> {
    head.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"))
}

/// The headers of the call: what gRPC asks for, what we know of the request, what the policy lets pass.
fn metadata(
    head: &request::Parts,
    peer: &Peer,
    routed: &Routed<'_>,
    exchange: &Exchange,
) -> Result<HeaderMap, Refusal> {
    let mut metadata = metadata::begin(peer.forwarded_for());
    metadata::set(&mut metadata, GRPC_TIMEOUT, exchange.grpc_timeout());
    exchange.write_ids(&mut metadata);
    for name in [TRACESTATE, BAGGAGE] {
        let lost = name == TRACESTATE && exchange.begins_trace();
        if !exchange.sent_headers().trace_context || lost || is_nominated(&head.headers, &name) {
            continue;
        }
        for value in head.headers.get_all(&name) {
            metadata.append(name.clone(), value.clone());
        }
    }
    let host = asked_host(head.headers.get(HOST).cloned(), &head.uri);
    write_origin(&head.headers, host, peer, &mut metadata);
    let facts = choose::facts(routed.route.upstream, exchange, peer);
    routed.route.headers.copy_request(head, peer, &facts, &mut metadata)?;
    Ok(metadata)
}

/// Where the request came from, and what host it asked for, in metadata that was [begun](metadata::begin) for its peer.
pub(super) fn write_origin(said: &HeaderMap, host: Option<HeaderValue>, peer: &Peer, metadata: &mut HeaderMap) {
    if peer.is_trusted() {
        trust::write_origin(said, host, peer, metadata);
    } else {
        // The rest is there already.
        metadata::set(metadata, FORWARDED_HOST, host);
    }
}

/// The host that a request asks for, as routes have it: the target's, else the header's.
pub(super) fn asked_host(host: Option<HeaderValue>, uri: &Uri) -> Option<HeaderValue> {
    uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()).or(host)
}

/// Reads a body whole, by the deadline: what a client sends slowly is part of the call.
pub(super) async fn read_in_time<B>(body: B, limits: limits::Body, exchange: &mut Exchange) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limit = exchange.deadline().unwrap_or_else(|| clock::now() + DEFAULT_TIMEOUT);
    let body = pin!(body);
    let body = Limited::new(body, limits);
    let read = tokio::time::timeout_at(limit.into(), read(body, exchange)).await;
    read.unwrap_or_else(|_| Err(Refusal::new(Answer::Deadline, "the deadline passed before the request's body came")))
}

/// Reads a body whole; without a copy if it comes in one piece.
async fn read<B>(mut body: Limited<B>, exchange: &mut Exchange) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut gathered = Gathered::default();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.map_err(|error| refuse_body(&*error))?.into_data() else { continue };
        exchange.hold(data.len());
        gathered.push(data);
    }
    Ok(gathered.into_bytes())
}

/// A body that stopped: malformed framing is an error of the client's, anything else is its leaving.
pub(super) fn refuse_body(error: &(dyn Error + 'static)) -> Refusal {
    match error.downcast_ref::<BodyLimit>() {
        Some(BodyLimit::TooLong(max_bytes)) => return too_large(*max_bytes),
        Some(BodyLimit::TooSlow) => return Refusal::new(Answer::BodyTooSlow, "the request's body came too slowly"),
        Some(limit @ BodyLimit::Scattered) => return Refusal::new(Answer::BadRequest, format!("the request: {limit}")),
        None => {}
    }
    let mut next = Some(error);
    let mut malformed = false;
    while let Some(error) = next {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        malformed |= matches!(kind, Some(ErrorKind::InvalidInput | ErrorKind::InvalidData));
        next = error.source();
    }
    if malformed {
        Refusal::new(Answer::BadRequest, "the request's body is not framed as HTTP says")
    } else {
        Refusal::new(Answer::ClientGone, "the request's body ended early")
    }
}
