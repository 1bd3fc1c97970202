//! One request on its stream: waiting for the head, then reading the body.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use h2::{Reason, RecvStream, client::ResponseFuture};
use http::Response;
use http_body::{Body, Frame, SizeHint};

use crate::{CallError, Kind, connection::Connection, deadline::Deadline, endpoint::Slot, parting, upload::Upload};

/// What was read is told to the peer in pieces of this size, not for every frame: a reply below it
/// takes no window update of its own. Small beside the windows, so that the peer never waits for it.
const RELEASE_BYTES: usize = 16 * 1024;

const _: () = assert!(RELEASE_BYTES * 4 <= 65_535 + 1);

/// The future of a response's head. Dropping it resets the stream, see [`parting`].
pub(crate) struct Head(Option<Waiting>);

struct Waiting {
    response: ResponseFuture,
    exchange: Exchange,
}

/// What a request holds until its response has ended.
struct Exchange {
    upload: Option<Upload>,
    deadline: Option<Deadline>,
    slot: Slot,
}

/// The body of a response over HTTP/2.
///
/// The peer may send as much as the windows allow before it is read; reading opens them again.
/// Trailers are its last frame. Dropping it before its end resets the stream.
pub(crate) struct StreamBody {
    /// `None` once the body has ended.
    stream: Option<RecvStream>,
    exchange: Exchange,
    /// Bytes that were read and not yet told to the peer.
    unreleased: usize,
    /// Whether a data frame was read.
    began: bool,
}

// === impl Head ===

impl Head {
    pub(crate) fn new(
        response: ResponseFuture,
        upload: Option<Upload>,
        deadline: Option<Deadline>,
        slot: Slot,
    ) -> Self {
        Self(Some(Waiting { response, exchange: Exchange { upload, deadline, slot } }))
    }
}

impl Future for Head {
    type Output = Result<Response<StreamBody>, (CallError, Arc<Connection>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let head = self.get_mut();
        let waiting = head.0.as_mut().expect("invariant: not polled after it was ready");
        let Waiting { response, exchange } = waiting;
        let result = match Pin::new(&mut *response).poll(cx) {
            Poll::Ready(Ok(answer)) => {
                exchange.slot.connection.state.partings.answered(response.stream_id().as_u32());
                exchange.slot.headed(answer.status(), answer.headers());
                Ok(answer)
            }
            Poll::Ready(Err(error)) => {
                let error = exchange.explain(error);
                exchange.slot.failed(&error);
                Err(error)
            }
            Poll::Pending => {
                ready!(exchange.poll_deadline(cx));
                let error = CallError::new(Kind::Deadline).at(&exchange.slot.connection.endpoint.name);
                exchange.slot.failed(&error);
                let connection = Arc::clone(&exchange.slot.connection);
                head.part();
                return Poll::Ready(Err((error, connection)));
            }
        };
        let Waiting { exchange, .. } = head.0.take().expect("invariant: it was there a moment ago");
        Poll::Ready(match result {
            Ok(response) => Ok(response.map(|stream| StreamBody::new(stream, exchange))),
            Err(error) => Err((error, Arc::clone(&exchange.slot.connection))),
        })
    }
}

impl Head {
    /// Nobody waits for the answer any more.
    fn part(&mut self) {
        if let Some(Waiting { response, exchange }) = self.0.take() {
            parting::part(response, exchange.upload, exchange.slot);
        }
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.part();
    }
}

// === impl Exchange ===

impl Exchange {
    /// Ready once the deadline has passed; never without one.
    fn poll_deadline(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.deadline.as_mut().map_or(Poll::Pending, |deadline| deadline.poll_passed(cx))
    }

    fn is_late(&self) -> bool {
        self.deadline.as_ref().is_some_and(Deadline::has_passed)
    }

    /// What the failure of the stream means for the call.
    fn explain(&self, error: h2::Error) -> CallError {
        let source = self.upload.as_ref().and_then(Upload::take_failure);
        let error = match source {
            Some(source) => CallError::new(Kind::RequestBody(source)),
            None => CallError::from_stream(error),
        };
        // A peer that keeps the deadline it was told may be the first to end the call, by CANCEL.
        let error = match error.kind() {
            Kind::Reset(Reason::CANCEL) if self.is_late() => CallError::new(Kind::Deadline),
            _ => error,
        };
        error.at(&self.slot.connection.endpoint.name)
    }
}

// === impl StreamBody ===

impl StreamBody {
    fn new(stream: RecvStream, exchange: Exchange) -> Self {
        Self { stream: Some(stream), exchange, unreleased: 0, began: false }
    }

    /// The address of the endpoint that sends it.
    pub(crate) fn endpoint(&self) -> &str {
        &self.exchange.slot.connection.endpoint.name
    }

    pub(crate) fn set_deadline(&mut self, at: Option<Instant>) {
        self.exchange.deadline = self.exchange.deadline.take().and_then(|deadline| deadline.moved(at));
    }

    /// The stream has ended, by itself or because it is given up: everything is let go.
    fn end(&mut self) {
        self.stream = None;
        self.exchange.upload = None;
        self.exchange.deadline = None;
        self.exchange.slot.free();
    }

    fn fail(&mut self, error: CallError) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        self.exchange.slot.failed(&error);
        self.end();
        // The head is here: whatever it is now, the application has seen the request.
        let error = error.after_head();
        self.exchange.slot.connection.endpoint.stats().failed(&error);
        Poll::Ready(Some(Err(error)))
    }

    fn poll_deadline(&mut self, cx: &Context<'_>) -> Poll<CallError> {
        ready!(self.exchange.poll_deadline(cx));
        Poll::Ready(CallError::new(Kind::Deadline).at(&self.exchange.slot.connection.endpoint.name))
    }

    fn data(&mut self, data: Bytes) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        self.began = true;
        self.unreleased += data.len();
        if self.unreleased >= RELEASE_BYTES
            && let Some(stream) = &mut self.stream
        {
            // It fails only if more is released than was received.
            let _ = stream.flow_control().release_capacity(std::mem::take(&mut self.unreleased));
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let body = self.get_mut();
        if body.stream.is_none() {
            return Poll::Ready(None);
        }
        // A stream that always has data ready would never come to the check below.
        if body.began
            && let Poll::Ready(error) = body.poll_deadline(cx)
        {
            return body.fail(error);
        }
        let Some(stream) = &mut body.stream else { return Poll::Ready(None) };
        let next = match stream.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => return body.data(data),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error)),
            Poll::Ready(None) => stream.poll_trailers(cx),
            Poll::Pending => Poll::Pending,
        };
        match next {
            Poll::Ready(Ok(trailers)) => {
                body.exchange.slot.ended(trailers.as_ref());
                body.end();
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Poll::Ready(Err(error)) => {
                let error = body.exchange.explain(error);
                body.fail(error)
            }
            Poll::Pending => {
                let error = ready!(body.poll_deadline(cx));
                body.fail(error)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        if self.stream.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        // In this order: the stream ends before its place is given away.
        self.end();
    }
}
