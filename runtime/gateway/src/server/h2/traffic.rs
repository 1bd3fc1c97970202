//! The socket of an h2 connection, and what moves on it.

use super::frames::{Flood, Frames};
use super::replies::{Replies, Reply};
use h2::Reason;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;
use tidegate_telemetry::clock;
use tidegate_upstream::turn::Pause;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection is doing, as its socket and its streams tell. Shared by all of them.
#[derive(Debug)]
pub(super) struct Traffic {
    frames: RefCell<Frames>,
    replies: RefCell<Replies>,
    /// What was refused since this was last looked at.
    refused: Cell<Refused>,
    /// Something came since this was last looked at.
    heard: Cell<bool>,
    /// Which part of the connection is incomplete, and since when.
    incomplete: Cell<Option<(u64, Instant)>>,
    /// Since when the socket has taken nothing.
    blocked_since: Cell<Option<Instant>>,
    /// Streams whose request or reply is under way.
    streams: Cell<u32>,
}

/// Streams that the h2 library refused without telling us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// Answered 431: the head was too large.
    pub(super) too_large: u32,
    /// Reset: there were as many as there may be.
    pub(super) too_many: u32,
    /// Reset for another reason: the head was no request.
    pub(super) malformed: u32,
}

/// A stream under way, until dropped.
#[derive(Debug)]
pub(super) struct Underway(Rc<Traffic>);

impl Traffic {
    pub(super) fn new(max_resets: u32) -> Rc<Self> {
        Rc::new(Self {
            frames: RefCell::new(Frames::new(max_resets)),
            replies: RefCell::new(Replies::new()),
            refused: Cell::default(),
            heard: Cell::new(false),
            incomplete: Cell::new(None),
            blocked_since: Cell::new(None),
            streams: Cell::new(0),
        })
    }

    /// A stream is in our hands.
    pub(super) fn begin(self: &Rc<Self>, stream: u32) -> Underway {
        self.frames.borrow_mut().claim(stream);
        self.streams.set(self.streams.get() + 1);
        Underway(Rc::clone(self))
    }

    pub(super) fn streams(&self) -> u32 {
        self.streams.get()
    }

    pub(super) fn take_refused(&self) -> Refused {
        self.refused.take()
    }

    pub(super) fn take_heard(&self) -> bool {
        self.heard.take()
    }

    pub(super) fn incomplete_since(&self) -> Option<Instant> {
        self.incomplete.get().map(|(_, since)| since)
    }

    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since.get()
    }

    pub(super) fn flood(&self) -> Option<Flood> {
        self.frames.borrow().flood()
    }

    /// A DATA frame goes out.
    pub(super) fn sends_data(&self) {
        self.frames.borrow_mut().sent_data();
    }

    /// A stream was answered to its end: see [`Frames::answered`].
    pub(super) fn answered(&self, stream: u32, window: usize) {
        self.frames.borrow_mut().answered(stream, window);
    }

    /// The head of a request was too large.
    pub(super) fn large_head(&self) {
        self.frames.borrow_mut().large_head();
    }

    /// What is still to come of a DATA frame that has begun.
    fn data_ahead(&self) -> usize {
        self.frames.borrow().data_ahead()
    }

    fn read(&self, bytes: &[u8]) -> usize {
        self.heard.set(true);
        let mut frames = self.frames.borrow_mut();
        let work = frames.read(bytes);
        let before = self.incomplete.get();
        let now = frames.incomplete();
        if now != before.map(|(part, _)| part) {
            self.incomplete.set(now.map(|part| (part, clock::now())));
        }
        work
    }

    fn wrote_bytes(&self, bytes: &[u8]) {
        self.replies.borrow_mut().wrote(bytes, |reply| self.replied(reply));
    }

    /// A frame went out that only we, or the h2 library by itself, can have written.
    fn replied(&self, reply: Reply) {
        let (Reply::Headers(stream) | Reply::Reset(stream, _)) = reply;
        if !self.frames.borrow_mut().claim(stream) {
            return;
        }
        let mut refused = self.refused.get();
        match reply {
            Reply::Headers(_) => {
                refused.too_large += 1;
                self.large_head();
            }
            Reply::Reset(_, code) if code == u32::from(Reason::REFUSED_STREAM) => refused.too_many += 1,
            Reply::Reset(..) => refused.malformed += 1,
        }
        self.refused.set(refused);
    }

    fn wrote<T>(&self, written: &Poll<io::Result<T>>) {
        match written {
            Poll::Pending if self.blocked_since.get().is_none() => self.blocked_since.set(Some(clock::now())),
            Poll::Ready(_) if self.blocked_since.get().is_some() => self.blocked_since.set(None),
            Poll::Pending | Poll::Ready(_) => {}
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
    }
}

/// Bytes of frames that make work which are read before it is the turn of other connections: the h2 library works
/// off all that it can read, and a few thousand frames or header fields in a row are felt by everybody else of the
/// worker. A byte can stand for a header field, which takes a tenth of a microsecond.
const TURN_BYTES: usize = 2 * 1024;

/// A socket that tells its [`Traffic`] what moves.
#[derive(Debug)]
pub(super) struct Socket<S> {
    stream: S,
    traffic: Rc<Traffic>,
    work_in_turn: usize,
    /// Between two turns.
    pause: Option<Pause>,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, traffic: Rc<Traffic>) -> Self {
        Self { stream, traffic, work_in_turn: 0, pause: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.traffic.flood().is_some() {
            // Whoever polls the connection is about to close it. What else came is not worth a look.
            return Poll::Pending;
        }
        if self.pause.take_if(|pause| pause.is_over()).is_some() {
            self.work_in_turn = 0;
        }
        if self.work_in_turn >= TURN_BYTES {
            // Whoever polls the connection does so again for each request that came, which is no new turn.
            self.pause.get_or_insert_with(|| Pause::begin(context));
            return Poll::Pending;
        }
        let most = TURN_BYTES - self.work_in_turn + self.traffic.data_ahead();
        let before = buffer.filled().len();
        let read = if most < buffer.remaining() {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
            let read = Pin::new(&mut self.stream).poll_read(context, &mut part);
            let count = part.filled().len();
            buffer.advance(count);
            read
        } else {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        };
        let new = &buffer.filled()[before..];
        if new.is_empty() {
            self.work_in_turn = 0;
        } else {
            self.work_in_turn += self.traffic.read(new);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.traffic.wrote(&written);
        if let Poll::Ready(Ok(count)) = written {
            self.traffic.wrote_bytes(&bytes[..count]);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.traffic.wrote(&written);
        if let Poll::Ready(Ok(mut count)) = written {
            for slice in slices {
                let of_it = count.min(slice.len());
                self.traffic.wrote_bytes(&slice[..of_it]);
                count -= of_it;
            }
        }
        written
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

#[cfg(test)]
mod tests;
