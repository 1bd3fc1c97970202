//! What is on its way to a socket.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;

/// Data of this size goes out from where it is; less is copied behind what is before it, which costs less
/// than a system call that gathers.
const COPY_BYTES: usize = 4 * 1024;

/// What is gathered before it is sent.
const ROOM_BYTES: usize = 16 * 1024;

/// Bytes that leave together if the socket takes them.
#[derive(Debug, Default)]
pub(super) struct Out {
    small: Vec<u8>,
    /// How much of that is sent.
    at: usize,
    /// Behind it.
    large: Bytes,
    /// Behind that.
    end: &'static [u8],
    /// Something was sent.
    began: bool,
}

impl Out {
    pub(super) fn new(first: Vec<u8>) -> Self {
        Self { small: first, ..Self::default() }
    }

    /// Whether the kernel has taken anything so far.
    pub(super) fn began(&self) -> bool {
        self.began
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.small.len() && self.large.is_empty() && self.end.is_empty()
    }

    /// Whether more may be put in.
    pub(super) fn has_room(&self) -> bool {
        self.large.is_empty() && self.end.is_empty() && self.small.len() < ROOM_BYTES
    }

    /// Text around data. To be asked for [room](Self::has_room) before.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.small
    }

    /// Data and what follows it; the same holds.
    pub(super) fn data(&mut self, data: Bytes, end: &'static [u8]) {
        if data.len() <= COPY_BYTES {
            self.small.extend_from_slice(&data);
            self.small.extend_from_slice(end);
        } else {
            (self.large, self.end) = (data, end);
        }
    }

    /// Ready when all is sent.
    pub(super) fn poll_send<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let small = &self.small[self.at..];
            let sent = if self.large.is_empty() && self.end.is_empty() {
                ready!(Pin::new(&mut *io).poll_write(cx, small))?
            } else {
                let slices = [IoSlice::new(small), IoSlice::new(&self.large), IoSlice::new(self.end)];
                ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices))?
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn sent(&mut self, sent: usize) {
        self.began = true;
        let small = sent.min(self.small.len() - self.at);
        self.at += small;
        let large = (sent - small).min(self.large.len());
        self.large.advance(large);
        self.end = &self.end[sent - small - large..];
        if self.at == self.small.len() {
            self.small.clear();
            self.at = 0;
        }
    }
}
