//! The body of a reply, and what becomes of its connection.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::AbortHandle;

use super::{
    Wire,
    call::{closed, explain},
    sending::Progress,
    tunnel::Tunnel,
};
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
    incoming: Incoming,
    link: Link,
    progress: Option<Arc<Progress>>,
    deadline: Option<Deadline>,
    slot: Slot,
    /// Whether a data frame was read.
    began: bool,
}

/// Who drives the connection.
pub(super) enum Link {
    /// Whoever reads the body.
    Wire(Box<Wire>),
    /// A task, for a request that is still being sent.
    Task { _ends: Task },
}

/// Ends when dropped, and the connection with it.
pub(super) struct Task(AbortHandle);

impl Link {
    /// A connection that is not used again: it goes on until both sides are done.
    pub(super) fn task(wire: Wire) -> Self {
        let Wire { sender, driver, .. } = wire;
        let driven = tokio::spawn(async move {
            // Nothing more will be sent; hyper closes the connection for that once it is done.
            drop(sender);
            // What goes wrong is told by the body.
            let _ = driver.await;
        });
        Self::Task { _ends: Task(driven.abort_handle()) }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

// === impl ReplyBody ===

impl ReplyBody {
    pub(super) fn new(
        incoming: Incoming,
        link: Link,
        progress: Option<Arc<Progress>>,
        deadline: Option<Deadline>,
        slot: Slot,
    ) -> Self {
        let name = Arc::clone(&slot.connection.endpoint.name);
        let ended = incoming.is_end_stream();
        let open = Box::new(Open { incoming, link, progress, deadline, slot, began: false });
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
        if let State::Open(open) = mem::replace(&mut self.state, State::Ended)
            && let Open { link: Link::Wire(mut wire), slot, .. } = *open
            && wire.rest()
        {
            slot.give_back(wire);
        }
    }

    fn fail(&mut self, error: CallError) -> CallError {
        let error = error.after_head().at(&self.name);
        if let State::Open(open) = mem::replace(&mut self.state, State::Ended) {
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

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let progress = self.progress.as_deref();
        let next = Pin::new(&mut self.incoming).poll_frame(cx);
        next.map(|frame| frame.map(|frame| frame.map_err(|error| explain(error, progress))))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        // A body that always has data ready would never come to the check below.
        if self.began
            && let Poll::Ready(error) = self.poll_deadline(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        // Asking for it is what lets the driver read it.
        if let Poll::Ready(frame) = self.poll_incoming(cx) {
            return Poll::Ready(frame);
        }
        if let Link::Wire(wire) = &mut self.link {
            let over = wire.poll(cx);
            match self.poll_incoming(cx) {
                Poll::Ready(frame) => return Poll::Ready(frame),
                Poll::Pending if over.is_ready() => return Poll::Ready(Some(Err(closed()))),
                Poll::Pending => {}
            }
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
                if open.incoming.is_end_stream() {
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
            State::Open(open) => open.incoming.size_hint(),
            State::Tunnel(_) | State::Ended => SizeHint::with_exact(0),
        }
    }
}
