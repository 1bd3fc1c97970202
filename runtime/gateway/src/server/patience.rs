//! How long an h1 connection may keep us waiting: for the rest of a request's head, for room to write
//! to, and for anything at all.
//!
//! hyper's own timer is set anew for every request, and counts the time between two of them as part of
//! the second one's head. Here a request costs no timer, and an idle connection is not a slow one.

use super::h1::Head;
use crate::config::Limits;
use crate::pipeline::arrival::Oddity;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::limits::Limit;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// After this time of idleness a connection is put aside with less than it needs at work.
pub(super) const PARK_AFTER: Duration = Duration::from_millis(250);
/// The same while there are many at work.
pub(super) const PARK_SOON: Duration = Duration::from_millis(10);
/// More connections of a worker than this are many: clients that all come at once must not each have the memory of one
/// at work.
pub(super) const MANY: usize = 256;

/// An answer of this size is copied into one piece: the system call that gathers costs more than that.
const GATHER_BYTES: usize = 1024;

/// What a connection is doing, as its socket and its service tell.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests that were handed on and have no complete response yet.
    in_flight: Cell<u32>,
    /// Bytes came while no request was in flight: a head has begun.
    head_begun: Cell<bool>,
    /// Counts reads and writes that moved something.
    moves: Cell<u64>,
    /// The socket takes nothing.
    blocked: Cell<bool>,
    /// Counts the times that it began to take nothing.
    blocks: Cell<u64>,
    /// The client took nothing for too long: what is dropped now is dropped for that.
    stalled: Cell<bool>,
    head: RefCell<Head>,
    /// Bytes of the present request's body that were read.
    body_bytes: Arc<AtomicUsize>,
    /// Our side is closed: the client has a moment to close its own.
    closing: Cell<bool>,
}

/// Counts a request as in flight until dropped.
#[derive(Debug)]
pub(super) struct InFlight(Rc<Activity>);

/// The h1 connections of a worker that are at work, which is: not put aside.
#[derive(Clone, Debug, Default)]
pub(super) struct AtWork(Rc<Cell<usize>>);

/// One of them, until dropped.
#[derive(Debug)]
struct Working(AtWork);

impl AtWork {
    fn are_many(&self) -> bool {
        self.0.get() > MANY
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.get()
    }

    fn enter(&self) -> Working {
        self.0.set(self.0.get() + 1);
        Working(self.clone())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

impl Activity {
    /// A head is complete, and its request is handed on.
    pub(super) fn request(self: &Rc<Self>) -> InFlight {
        self.head_begun.set(false);
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight(Rc::clone(self))
    }

    /// What was odd about the head of the request that is handed on.
    pub(super) fn oddity(&self) -> Option<Oddity> {
        self.head.borrow_mut().take()
    }

    /// Where the bytes of the body are counted as they are read.
    pub(super) fn body_bytes(&self) -> &Arc<AtomicUsize> {
        &self.body_bytes
    }

    fn is_idle(&self) -> bool {
        self.in_flight.get() == 0 && !self.closing.get()
    }

    fn moved(&self) {
        self.moves.set(self.moves.get().wrapping_add(1));
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(1..)) => {
                self.moved();
                self.blocked.set(false);
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                if !self.blocked.replace(true) {
                    self.blocks.set(self.blocks.get().wrapping_add(1));
                }
            }
        }
        written
    }
}

impl InFlight {
    /// Whether the connection was given up because the client took nothing.
    pub(super) fn is_stalled(&self) -> bool {
        self.0.stalled.get()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.head.borrow_mut().answered(self.0.body_bytes.swap(0, Relaxed));
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// The rest of a head.
    Head,
    /// Room to write to; numbered, as each time is a new one.
    Room(u64),
    /// Anything.
    Idle,
    /// A request, while many others are at work.
    Soon,
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It kept us waiting for too long.
    Close(Limit),
    /// It has been idle for so long: nothing is in flight, nothing is half read or half written.
    Park(Duration),
}

/// Ends when a connection has kept us waiting for too long, or is idle. To be polled after the connection itself.
#[derive(Debug)]
pub(super) struct Patience {
    activity: Rc<Activity>,
    limits: Arc<Limits>,
    working: Working,
    alarm: Pin<Box<Sleep>>,
    waiting: Waiting,
    /// [`Activity::moves`] when the alarm was set.
    moves: u64,
    /// The alarm knows whom to wake.
    set: bool,
}

impl Patience {
    pub(super) fn new(activity: Rc<Activity>, limits: Arc<Limits>, at_work: &AtWork) -> Self {
        let alarm = Box::pin(tokio::time::sleep_until((clock::now() + limits.idle_timeout.min(PARK_AFTER)).into()));
        let working = at_work.enter();
        Self { activity, limits, working, alarm, waiting: Waiting::Idle, moves: 0, set: false }
    }

    fn after(&self) -> Duration {
        match self.waiting {
            Waiting::Head => self.limits.headers.timeout,
            Waiting::Room(_) => self.limits.write_timeout,
            Waiting::Idle => self.limits.idle_timeout.min(PARK_AFTER),
            Waiting::Soon => PARK_SOON,
        }
    }

    fn set_alarm(&mut self) {
        let at = clock::now() + self.after();
        self.moves = self.activity.moves.get();
        self.alarm.as_mut().reset(at.into());
        self.set = false;
    }

    /// Takes note of what is waited for now. Whether it is idle may change with every request, which is to cost no
    /// timer: an alarm that rings too early is set again then.
    fn wait_for(&mut self, waiting: Waiting) {
        let before = std::mem::replace(&mut self.waiting, waiting);
        let early = match waiting {
            Waiting::Idle => before == Waiting::Soon,
            Waiting::Soon => before == Waiting::Idle && self.alarm.deadline() <= (clock::now() + PARK_SOON).into(),
            Waiting::Head | Waiting::Room(_) => false,
        };
        if waiting != before && !early {
            self.set_alarm();
        }
    }

    fn waiting(&self) -> Waiting {
        let activity = &self.activity;
        if activity.blocked.get() {
            Waiting::Room(activity.blocks.get())
        } else if activity.in_flight.get() == 0 && activity.head_begun.get() {
            Waiting::Head
        } else if self.working.0.are_many() && activity.is_idle() && self.may_park() {
            Waiting::Soon
        } else {
            Waiting::Idle
        }
    }

    /// There is something to be gained before the connection is closed.
    fn may_park(&self) -> bool {
        self.limits.idle_timeout > PARK_AFTER
    }
}

impl Future for Patience {
    type Output = Verdict;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Verdict> {
        loop {
            let waiting = self.waiting();
            self.wait_for(waiting);
            if self.set && !self.alarm.is_elapsed() {
                return Poll::Pending;
            }
            self.set = true;
            ready!(self.alarm.as_mut().poll(context));
            match waiting {
                Waiting::Head => return Poll::Ready(Verdict::Close(Limit::HeaderTimeout)),
                Waiting::Room(_) => {
                    self.activity.stalled.set(true);
                    return Poll::Ready(Verdict::Close(Limit::WriteTimeout));
                }
                Waiting::Idle | Waiting::Soon if self.activity.is_idle() && self.activity.moves.get() == self.moves => {
                    return Poll::Ready(match self.may_park() {
                        true => Verdict::Park(self.after()),
                        false => Verdict::Close(Limit::IdleTimeout),
                    });
                }
                Waiting::Idle | Waiting::Soon => self.set_alarm(),
            }
        }
    }
}

/// A socket that tells its [`Activity`] what moves.
#[derive(Debug)]
pub(super) struct Observed<S> {
    stream: S,
    /// Read before, and to be read again.
    first: Bytes,
    activity: Rc<Activity>,
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, activity: Rc<Activity>) -> Self {
        Self { stream, first: Bytes::new(), activity }
    }

    /// Lets these bytes be read before all others.
    pub(super) fn read_first(&mut self, bytes: Bytes) {
        self.first = bytes;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let piece = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(piece));
            self.activity.head_begun.set(true);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        if !new.is_empty() {
            self.activity.moved();
            self.activity.head.borrow_mut().read(new);
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
        self.activity.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = if bytes <= GATHER_BYTES {
            let mut gathered = [0; GATHER_BYTES];
            let mut at = 0;
            for slice in slices {
                gathered[at..at + slice.len()].copy_from_slice(slice);
                at += slice.len();
            }
            Pin::new(&mut self.stream).poll_write(context, &gathered[..at])
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(context, slices)
        };
        self.activity.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.closing.set(true);
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
