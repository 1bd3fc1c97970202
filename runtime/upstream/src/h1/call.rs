//! One request on a connection, until the head of its reply.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use http::{Response, StatusCode, Version, request::Parts as Head, uri::Authority};

use super::{
    Wire,
    body::{Link, ReplyBody},
    decode::Decoder,
    head::ReplyHead,
    reader::closed,
    sending::{Failed, Sending},
    tunnel::Tunnel,
};
use crate::{CallError, Kind, body::Parts, deadline::Deadline, endpoint::Slot};

/// Sends a request and waits for the head of its reply. Dropped before, it closes the connection.
///
/// A request that failed because nothing of it could be sent can be sent again: its head is as it was.
pub(crate) async fn call(
    wire: Box<Wire>,
    head: &mut Head,
    body: Parts,
    authority: Option<&Authority>,
    deadline: Option<Deadline>,
    mut slot: Slot,
) -> Result<Response<ReplyBody>, CallError> {
    let sending = Sending::new(head, body, authority);
    let stays = sending.stays();
    let mut exchange = Exchange { wire, sending: Some(sending), began: false, lost: None, deadline };
    match poll_fn(|cx| exchange.poll(head, cx)).await {
        Ok(reply) => Ok(exchange.begin(reply, stays, slot)),
        Err(error) => {
            let error = if exchange.has_begun() { error } else { error.none_sent() };
            slot.failed(&error);
            Err(error.at(&slot.connection.endpoint.name))
        }
    }
}

/// A request and its connection.
struct Exchange {
    wire: Box<Wire>,
    /// Until all of it is sent.
    sending: Option<Sending>,
    /// It was, in part, when it was let go of.
    began: bool,
    /// Why the rest of it cannot be sent. The reply may be there.
    lost: Option<CallError>,
    deadline: Option<Deadline>,
}

impl Exchange {
    fn has_begun(&self) -> bool {
        self.began || self.sending.as_ref().is_some_and(Sending::began)
    }

    fn poll(&mut self, asked: &mut Head, cx: &mut Context<'_>) -> Poll<Result<ReplyHead, CallError>> {
        if let Some(sending) = &mut self.sending
            && let Poll::Ready(sent) = sending.poll(&mut self.wire.stream, cx)
        {
            self.began = sending.began();
            self.sending = None;
            match sent {
                Ok(()) => {}
                Err(Failed::Source(error)) => return Poll::Ready(Err(CallError::new(Kind::RequestBody(error)))),
                Err(Failed::Short) => return Poll::Ready(Err(closed())),
                Err(Failed::Socket(error)) => self.lost = Some(CallError::new(Kind::ConnectionLost(error))),
            }
        }
        let Wire { stream, reader, head_max_bytes, .. } = &mut *self.wire;
        let polled = reader.poll_head(stream, asked, *head_max_bytes, cx);
        if let Some(lost) = self.lost.take_if(|_| !matches!(polled, Poll::Ready(Ok(_)))) {
            return Poll::Ready(Err(lost));
        }
        if polled.is_pending()
            && let Some(deadline) = &mut self.deadline
            && deadline.poll_passed(cx).is_ready()
        {
            return Poll::Ready(Err(CallError::new(Kind::Deadline)));
        }
        polled
    }

    /// The reply begins: who drives the connection from here.
    fn begin(self, reply: ReplyHead, stays: bool, mut slot: Slot) -> Response<ReplyBody> {
        let Self { mut wire, sending, lost, deadline, .. } = self;
        let ReplyHead { status, headers, length, stays: kept, keeps_for } = reply;
        wire.learn(keeps_for);
        slot.headed(status, &headers);
        let body = if status == StatusCode::SWITCHING_PROTOCOLS {
            let (stream, first) = wire.into_socket();
            ReplyBody::tunnel(Tunnel { stream, first, slot })
        } else {
            let link = match sending {
                Some(sending) => Link::apart(*wire, sending),
                None => Link::Wire { wire, stays: stays && kept && lost.is_none() },
            };
            ReplyBody::new(link, Decoder::new(length), deadline, slot)
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.version_mut() = Version::HTTP_11;
        *response.headers_mut() = headers;
        response
    }
}
