//! How long an h1 connection may keep us waiting: for the rest of a request's head, and for anything at all.
//!
//! hyper's own timer is set anew for every request, and counts the time between two of them as part of
//! the second one's head. Here a request costs no timer, and an idle connection is not a slow one.

use super::{HEADER_READ_TIMEOUT, IDLE_TIMEOUT};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a connection is doing, as its socket and its service tell.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests that were handed on and have no response yet.
    in_flight: Cell<u32>,
    /// Bytes came while no request was in flight: a head has begun.
    head_begun: Cell<bool>,
    /// Counts reads and writes that moved something.
    moves: Cell<u64>,
}

/// Counts a request as in flight until dropped.
#[derive(Debug)]
pub(super) struct InFlight(Rc<Activity>);

impl Activity {
    /// A head is complete, and its request is handed on.
    pub(super) fn request(self: &Rc<Self>) -> InFlight {
        self.head_begun.set(false);
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight(Rc::clone(self))
    }

    fn moved(&self) {
        self.moves.set(self.moves.get().wrapping_add(1));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}

/// Ends when a connection has kept us waiting for too long. To be polled after the connection itself.
#[derive(Debug)]
pub(super) struct Patience {
    activity: Rc<Activity>,
    alarm: Pin<Box<Sleep>>,
    /// The alarm is for a head, else for idleness.
    for_head: bool,
    /// [`Activity::moves`] when the alarm for idleness was set.
    moves: u64,
    /// The alarm knows whom to wake.
    set: bool,
}

impl Patience {
    pub(super) fn new(activity: Rc<Activity>) -> Self {
        let alarm = Box::pin(tokio::time::sleep_until((clock::now() + IDLE_TIMEOUT).into()));
        Self { activity, alarm, for_head: false, moves: 0, set: false }
    }

    fn set_alarm(&mut self, after: Duration) {
        self.alarm.as_mut().reset((clock::now() + after).into());
        self.set = false;
    }
}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let waiting = self.activity.in_flight.get() == 0;
            let for_head = waiting && self.activity.head_begun.get();
            if for_head != self.for_head {
                self.for_head = for_head;
                self.moves = self.activity.moves.get();
                self.set_alarm(if for_head { HEADER_READ_TIMEOUT } else { IDLE_TIMEOUT });
            }
            if self.set && !self.alarm.is_elapsed() {
                return Poll::Pending;
            }
            self.set = true;
            ready!(self.alarm.as_mut().poll(context));
            let moves = self.activity.moves.get();
            if self.for_head || waiting && moves == self.moves {
                return Poll::Ready(());
            }
            self.moves = moves;
            self.set_alarm(IDLE_TIMEOUT);
        }
    }
}

/// A socket that tells its [`Activity`] what moves.
#[derive(Debug)]
pub(super) struct Observed<S> {
    stream: S,
    activity: Rc<Activity>,
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, activity: Rc<Activity>) -> Self {
        Self { stream, activity }
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.activity.moved();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.moved();
            if self.activity.in_flight.get() == 0 {
                self.activity.head_begun.set(true);
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
