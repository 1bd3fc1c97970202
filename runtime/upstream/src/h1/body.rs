//! The body of a reply, and what becomes of its connection.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::net::tcp::OwnedReadHalf;

use super::{Wire, decode::Decoder, reader::Reader, sending::Sending, tunnel::Tunnel, upload::Upload};
use crate::{CallError, Kind, deadline::Deadline, endpoint::Slot};

/// The body of a reply over HTTP/1.1. Dropping it before its end closes the connection.
pub(crate) struct ReplyBody {
    name: Arc<str>,
    state: State,
}

enum State {
    Open(Box<Open>),
    Tunnel(Box<Tunnel>),
    Ended,
}

struct Open {
    link: Link,
    decoder: Decoder,
    deadline: Option<Deadline>,
    slot: Slot,
    /// Whether a data frame was read.
    began: bool,
}

/// Who has the connection.
pub(super) enum Link {
    /// Whoever reads the body.
    Wire {
        wire: Box<Wire>,
        /// It may carry another request.
        stays: bool,
    },
    /// That one reads, and a task still sends; it is not used again.
    Apart { socket: OwnedReadHalf, reader: Reader, upload: Upload },
}

impl Link {
    /// A connection on which the rest of a request is still to be sent.
    pub(super) fn apart(wire: Wire, sending: Sending) -> Self {
        let Wire { stream, reader, .. } = wire;
        let (socket, write) = stream.into_split();
        Self::Apart { socket, reader, upload: Upload::start(sending, write) }
    }

    fn poll_part(
        &mut self,
        decoder: &mut Decoder,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match self {
            Self::Wire { wire, .. } => wire.reader.poll_part(&mut wire.stream, decoder, cx),
            Self::Apart { socket, reader, upload } => match upload.poll_failed(cx) {
                Poll::Ready(failure) => Poll::Ready(Some(Err(failure))),
                Poll::Pending => reader.poll_part(socket, decoder, cx),
            },
        }
    }
}

// === impl ReplyBody ===

impl ReplyBody {
    pub(super) fn new(link: Link, decoder: Decoder, deadline: Option<Deadline>, slot: Slot) -> Self {
        let name = Arc::clone(&slot.connection.endpoint.name);
        let ended = decoder.is_over();
        let open = Box::new(Open { link, decoder, deadline, slot, began: false });
        let mut body = Self { name, state: State::Open(open) };
        if ended {
            body.end();
        }
        body
    }

    pub(super) fn tunnel(tunnel: Tunnel) -> Self {
        let name = Arc::clone(&tunnel.slot.connection.endpoint.name);
        Self { name, state: State::Tunnel(Box::new(tunnel)) }
    }

    /// The address of the endpoint that sends it.
    pub(crate) fn endpoint(&self) -> &str {
        &self.name
    }

    pub(crate) fn set_deadline(&mut self, at: Option<Instant>) {
        if let State::Open(open) = &mut self.state {
            open.deadline = open.deadline.take().and_then(|deadline| deadline.moved(at));
        }
    }

    /// The socket, once, of a reply that was 101.
    pub(crate) fn take_tunnel(&mut self) -> Option<Tunnel> {
        match mem::replace(&mut self.state, State::Ended) {
            State::Tunnel(tunnel) => Some(*tunnel),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// The reply is complete: its connection rests until the next request.
    fn end(&mut self) {
        if let State::Open(open) = mem::replace(&mut self.state, State::Ended) {
            let Open { link, mut slot, .. } = *open;
            // HTTP/1.1 has told at the head what there is to tell, but for gRPC, which is not spoken over it.
            slot.ended(None);
            if let Link::Wire { mut wire, stays: true } = link
                && wire.rest()
            {
                slot.give_back(wire);
            }
        }
    }

    fn fail(&mut self, error: CallError) -> CallError {
        let error = error.after_head().at(&self.name);
        if let State::Open(mut open) = mem::replace(&mut self.state, State::Ended) {
            open.slot.failed(&error);
            open.slot.connection.endpoint.stats().failed(&error);
        }
        error
    }
}

impl Open {
    fn poll_deadline(&mut self, cx: &Context<'_>) -> Poll<CallError> {
        match &mut self.deadline {
            Some(deadline) => deadline.poll_passed(cx).map(|()| CallError::new(Kind::Deadline)),
            None => Poll::Pending,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        // A body that always has data ready would never come to the check below.
        if self.began
            && let Poll::Ready(error) = self.poll_deadline(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        if let Poll::Ready(part) = self.link.poll_part(&mut self.decoder, cx) {
            return Poll::Ready(part);
        }
        let error = ready!(self.poll_deadline(cx));
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let State::Open(open) = &mut self.state else { return Poll::Ready(None) };
        match ready!(open.poll_next(cx)) {
            Some(Ok(frame)) => {
                open.began = true;
                if open.decoder.is_over() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(self.fail(error)))),
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self.state, State::Open(_))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Open(open) => open.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            State::Tunnel(_) | State::Ended => SizeHint::with_exact(0),
        }
    }
}
