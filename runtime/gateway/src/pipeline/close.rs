//! Close: the upstream's reply becomes the client's. Nothing is sent before the first message or
//! the status is known, so that an early failure gets a real status line.

use super::admit::framing;
use super::refuse_call;
use super::stream::Source;
use crate::answer::{Answer, Refusal};
use crate::breakers::Canned;
use crate::config::limits::Replies;
use crate::exchange::Exchange;
use crate::headers::{HeaderRules, Part};
use crate::snapshot::Routed;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Response, StatusCode, request, response};
use http_body::Body;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use tidegate_transcode::frame::{self, Bounds, DecompressError, Deframer, Frame, FrameError};
use tidegate_transcode::stream::Framing;
use tidegate_transcode::{Code, Status};
use tidegate_upstream::CallError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A unary reply: one message and an OK status, or a status that says no.
pub(super) async fn whole<R>(
    reply: Response<R>,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<Response<Bytes>, Refusal>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    let (head, mut body) = reply.into_parts();
    check_head(&head, &routed.route.headers, exchange)?;
    let replies = routed.route.replies;
    let mut deframer = Deframer::new(replies.max_message);
    let mut message = None;
    let mut trailers = HeaderMap::new();
    while let Some(next) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match next.map_err(refuse_call)?.into_data() {
            Ok(data) => {
                exchange.hold(data.len());
                deframer.push(data);
                take_single(&mut deframer, replies, &head.headers, &mut message)?;
                if let Some((compressed, len)) = deframer.awaited() {
                    exchange.make_room(len, compressed).await?;
                }
            }
            Err(other) => trailers = other.into_trailers().unwrap_or_default(),
        }
    }
    exchange.upstream_answered();
    // A status in the head, and nothing else, is a reply without a message.
    let in_head = || message.is_none().then(|| Status::from_trailers(&head.headers)).flatten();
    match Status::from_trailers(&trailers).or_else(in_head) {
        Some(Ok(())) => deframer.finish().map_err(|error| bad_frame(&error))?,
        Some(Err(status)) => {
            return Err(with_metadata(Refusal::from_upstream(status), &routed.route.headers, &head.headers, &trailers));
        }
        None => return Err(bad_reply("the upstream's reply has no grpc-status")),
    }
    let message = message.ok_or_else(|| bad_reply("the upstream answered OK without a message"))?;
    exchange.upstream_done();
    let mut response = reply_head(&head, &routed.route.headers, JSON);
    routed.route.headers.copy_reply(&trailers, Part::Trailers, response.headers_mut());
    *response.body_mut() = write_whole(&message, routed, response.headers_mut())?;
    exchange.hold(response.body().len());
    Ok(response)
}

/// The answer of a breaker in place of a call.
pub(super) fn canned(canned: &Canned, routed: &Routed<'_>) -> Result<Response<Bytes>, Refusal> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = canned.status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    *response.body_mut() = write_whole(&canned.bytes, routed, response.headers_mut())?;
    Ok(response)
}

/// The body of a unary reply; `google.api.HttpBody` is its data under its own content type.
fn write_whole(message: &Bytes, routed: &Routed<'_>, headers: &mut HeaderMap) -> Result<Bytes, Refusal> {
    let (binding, route) = (routed.matched.binding, routed.route);
    if let Some(raw) = binding.http_body_reply(&route.schema, message) {
        headers.insert(CONTENT_TYPE, raw.content_type);
        return Ok(raw.data);
    }
    let mut json = Vec::with_capacity(message.len() * 2 + 64);
    match binding.write_reply(&route.schema, message, &route.transcode, &mut json) {
        Ok(()) => Ok(json.into()),
        Err(error) => Err(bad_reply(&format!("the upstream's reply cannot be written as JSON: {error}"))),
    }
}

/// A stream of replies: waits for the first message or the status, then hands over.
pub(super) async fn stream<R>(
    reply: Response<R>,
    request: &request::Parts,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<Response<Source<R>>, Refusal>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    let framing = framing(&request.headers).unwrap_or(Framing::JsonArray);
    let (head, body) = reply.into_parts();
    check_head(&head, &routed.route.headers, exchange)?;
    let mut source =
        Source::new(body, &head.headers, framing, routed, Arc::clone(exchange.snapshot()), exchange.turn());
    let begun = poll_fn(|context| source.poll_begin(context)).await;
    begun.map_err(|refusal| with_metadata(refusal, &routed.route.headers, &head.headers, &HeaderMap::new()))?;
    exchange.upstream_answered();
    let content_type = source.content_type();
    Ok(reply_head(&head, &routed.route.headers, content_type).map(|()| source))
}

/// A reply that is no gRPC, or that is a status and nothing else ("trailers-only").
fn check_head(head: &response::Parts, rules: &HeaderRules, exchange: &mut Exchange) -> Result<(), Refusal> {
    if let Some(Err(status)) = Status::from_trailers(&head.headers) {
        exchange.upstream_answered();
        return Err(with_metadata(Refusal::from_upstream(status), rules, &head.headers, &HeaderMap::new()));
    }
    if head.status != StatusCode::OK {
        return Err(Refusal::from_upstream(Status::from_http(head.status)));
    }
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !content_type.starts_with(b"application/grpc") {
        return Err(bad_reply("the upstream's reply is not gRPC"));
    }
    Ok(())
}

/// Takes the one message of a unary reply when it is whole; a second one is an error.
fn take_single(
    deframer: &mut Deframer,
    replies: Replies,
    headers: &HeaderMap,
    message: &mut Option<Bytes>,
) -> Result<(), Refusal> {
    while let Some(frame) = deframer.next().map_err(|error| bad_frame(&error))? {
        if message.is_some() {
            return Err(bad_reply("the upstream answered a unary call with more than one message"));
        }
        let encoding = if frame.compressed { grpc_encoding(headers) } else { None };
        *message = Some(payload(frame, encoding.as_deref(), replies)?);
    }
    Ok(())
}

/// The payload of a frame, decompressed if its flag says so.
///
/// The flag without an encoding is an error (gRPC's `doc/compression.md`): the bytes could be anything.
pub(super) fn payload(frame: Frame, encoding: Option<&str>, replies: Replies) -> Result<Bytes, Refusal> {
    if !frame.compressed {
        return Ok(frame.payload);
    }
    let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") else {
        return Err(bad_reply("the upstream's reply has a compressed message and no grpc-encoding"));
    };
    let bounds = Bounds { max_bytes: replies.max_message, max_ratio: replies.max_ratio as usize };
    frame::decompress(encoding, frame.payload, bounds).map_err(|error| {
        let answer = match error {
            DecompressError::TooLarge { .. } => Answer::MessageTooLarge,
            DecompressError::Bomb { .. } => Answer::MessageBomb,
            DecompressError::UnknownEncoding(_) | DecompressError::Malformed(_) => Answer::BadReply,
        };
        Refusal::new(answer, format!("the upstream's reply: {error}"))
    })
}

pub(super) fn grpc_encoding(headers: &HeaderMap) -> Option<Box<str>> {
    headers.get("grpc-encoding").and_then(|value| value.to_str().ok()).map(Box::from)
}

fn reply_head<T: Default>(head: &response::Parts, rules: &HeaderRules, content_type: HeaderValue) -> Response<T> {
    let mut response = Response::new(T::default());
    rules.copy_reply(&head.headers, Part::Head, response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn with_metadata(mut refusal: Refusal, rules: &HeaderRules, headers: &HeaderMap, trailers: &HeaderMap) -> Refusal {
    rules.copy_reply(headers, Part::Head, &mut refusal.headers);
    rules.copy_reply(trailers, Part::Trailers, &mut refusal.headers);
    refusal
}

pub(super) fn bad_frame(error: &FrameError) -> Refusal {
    let answer = if matches!(error, FrameError::TooLarge { .. }) { Answer::MessageTooLarge } else { Answer::BadReply };
    Refusal::new(answer, format!("the upstream's reply: {error}"))
}

pub(super) fn bad_reply(message: &str) -> Refusal {
    Refusal::with_status(Answer::BadReply, Status::new(Code::Internal, message))
}
