//! One request on a connection, until the head of its reply.

use std::{
    error::Error as _,
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts as Head,
    uri::{Authority, PathAndQuery, Uri},
};
use hyper::body::Incoming;

use super::{
    Wire,
    body::{Link, ReplyBody},
    sending::{Progress, Sending},
    tunnel::Tunnel,
};
use crate::{CallError, Kind, body::Parts, deadline::Deadline, endpoint::Slot};

/// The request as it is sent: in origin form, with a `Host`.
pub(crate) fn request(mut head: Head, body: Parts, authority: Option<&Authority>) -> Outgoing {
    let uri = std::mem::take(&mut head.uri).into_parts();
    if !head.headers.contains_key(HOST) {
        let named = uri.authority.as_ref().or(authority);
        let host = named.and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
        head.headers.insert(HOST, host.unwrap_or(HeaderValue::from_static("")));
    }
    head.uri = Uri::from(uri.path_and_query.unwrap_or(PathAndQuery::from_static("/")));
    head.version = Version::HTTP_11;
    let (body, progress) = match body {
        Parts::Whole(bytes) => (Sending::whole(bytes), None),
        Parts::Stream(body) => {
            let (body, progress) = Sending::stream(body);
            (body, Some(progress))
        }
    };
    Outgoing { request: Request::from_parts(head, body), progress }
}

/// A request that is ready to go.
pub(crate) struct Outgoing {
    request: Request<Sending>,
    progress: Option<Arc<Progress>>,
}

/// Sends a request and waits for the head of its reply. Dropped before, it closes the connection.
pub(crate) async fn call(
    wire: Box<Wire>,
    outgoing: Outgoing,
    deadline: Option<Deadline>,
    slot: Slot,
) -> Result<Response<ReplyBody>, CallError> {
    let Outgoing { request, progress } = outgoing;
    let (mut wire, mut deadline) = (wire, deadline);
    let before = wire.written();
    let mut reply = pin!(wire.sender.try_send_request(request));
    let received = poll_fn(|cx| {
        // What the driver reads is the reply's, and whatever ends it fails the reply.
        let over = wire.poll(cx);
        match reply.as_mut().poll(cx) {
            Poll::Ready(reply) => Poll::Ready(Ok(reply.map_err(|failed| failed.into_error()))),
            Poll::Pending if over.is_ready() => Poll::Ready(Err(closed())),
            Poll::Pending => match deadline.as_mut().map(|deadline| deadline.poll_passed(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Err(CallError::new(Kind::Deadline))),
                Some(Poll::Pending) | None => Poll::Pending,
            },
        }
    });
    let received = received.await.and_then(|reply| reply.map_err(|error| explain(error, progress.as_deref())));
    let received = received.and_then(|reply| check(reply.headers()).map(|()| reply));
    match received {
        Ok(reply) => Ok(begin(wire, reply, progress, deadline, slot)),
        Err(error) => {
            let error = if wire.written() == before { error.none_sent() } else { error };
            Err(error.at(&slot.connection.endpoint.name))
        }
    }
}

/// The reply begins: who drives the connection from here.
fn begin(
    mut wire: Box<Wire>,
    reply: Response<Incoming>,
    progress: Option<Arc<Progress>>,
    deadline: Option<Deadline>,
    slot: Slot,
) -> Response<ReplyBody> {
    let (head, incoming) = reply.into_parts();
    wire.learn(&head.headers);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        // It is hyper's no more: what it has read beyond the head comes with the socket.
        let _ = wire.poll(&mut Context::from_waker(Waker::noop()));
        let (stream, first) = wire.into_socket();
        let body = ReplyBody::tunnel(Tunnel { stream, first, slot });
        return Response::from_parts(head, body);
    }
    let link = match &progress {
        Some(progress) if !progress.is_over() => Link::task(*wire),
        _ => Link::Wire(wire),
    };
    Response::from_parts(head, ReplyBody::new(incoming, link, progress, deadline, slot))
}

/// hyper takes the chunks of a reply that has a length too, and passes on a coding that it does not
/// undo: either is read otherwise by other programs (RFC 9112, section 6.3).
fn check(headers: &HeaderMap) -> Result<(), CallError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = codings.next() else { return Ok(()) };
    let problem = if codings.next().is_some() || !first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        "a transfer coding other than `chunked`"
    } else if headers.contains_key(CONTENT_LENGTH) {
        "both `content-length` and `transfer-encoding`"
    } else {
        return Ok(());
    };
    Err(CallError::new(Kind::Protocol(format!("the reply has {problem}").into())))
}

/// The peer closed the connection instead of answering.
pub(super) fn closed() -> CallError {
    CallError::new(Kind::ConnectionLost(io::ErrorKind::UnexpectedEof.into()))
}

/// What a failure of hyper's means for the call.
pub(super) fn explain(error: hyper::Error, progress: Option<&Progress>) -> CallError {
    if let Some(source) = progress.and_then(Progress::take_failure) {
        return CallError::new(Kind::RequestBody(source));
    }
    if error.is_parse() {
        return CallError::new(Kind::Protocol(error.into()));
    }
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(source) = source.downcast_ref::<io::Error>() {
            // What hyper keeps cannot be taken out of it.
            let error = match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => source.kind().into(),
            };
            // A chunk that is none, a length that is not reached.
            return CallError::new(match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Kind::Protocol(error.into()),
                _ => Kind::ConnectionLost(error),
            });
        }
        next = source.source();
    }
    if error.is_user() && !error.is_body_write_aborted() {
        return CallError::new(Kind::BadRequest(error.into()));
    }
    closed()
}
