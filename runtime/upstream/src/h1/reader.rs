//! What was read from a socket and belongs to nobody yet.

use std::{
    io,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::request::Parts as Head;
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{
    decode::{Decoder, Part},
    head::{self, BadReply, ReplyHead},
};
use crate::{CallError, Kind};

/// What is read at first, and at most, at once. In between it follows what comes.
const FIRST_BYTES: usize = 8 * 1024;
const MOST_BYTES: usize = 64 * 1024;

/// Room that is worth a system call.
const ROOM_BYTES: usize = 1024;

/// Bytes in the order in which they came.
#[derive(Debug)]
pub(super) struct Reader {
    buf: BytesMut,
    /// What is made room for.
    next: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self { buf: BytesMut::new(), next: FIRST_BYTES }
    }
}

impl Reader {
    /// Nothing came that nobody asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    pub(super) fn into_buf(self) -> BytesMut {
        self.buf
    }

    /// Lets go of what only a large reply needs.
    pub(super) fn rest(&mut self) {
        if self.next > FIRST_BYTES {
            *self = Self::default();
        }
    }

    /// Reads until the head of the reply to this request is complete; then that of the request is gone.
    pub(super) fn poll_head<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        asked: &mut Head,
        max_bytes: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ReplyHead, CallError>> {
        loop {
            // Nothing is there before it was read.
            if ready!(self.poll_more(io, cx)).map_err(lost)? == 0 {
                return Poll::Ready(Err(closed()));
            }
            if let Some(head) = head::take(&mut self.buf, &asked.method, max_bytes, &mut asked.headers).map_err(bad)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Reads until a part of a body is there; `None` at its end.
    pub(super) fn poll_part<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        decoder: &mut Decoder,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        loop {
            match decoder.take(&mut self.buf) {
                Ok(Part::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Part::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Part::End) => return Poll::Ready(None),
                Ok(Part::Missing) => {}
                Err(error) => return Poll::Ready(Some(Err(bad(error)))),
            }
            match ready!(self.poll_more(io, cx)) {
                Ok(0) if matches!(decoder, Decoder::UntilClose) => return Poll::Ready(None),
                Ok(0) => return Poll::Ready(Some(Err(closed()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(lost(error)))),
            }
        }
    }

    /// Reads once; 0 is the end.
    fn poll_more<R: AsyncRead + Unpin>(&mut self, io: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // What is left of the memory that was read into before is used up first.
        let room = self.buf.capacity() - self.buf.len();
        if room < self.next.min(ROOM_BYTES.max(self.next / 8)) {
            self.buf.reserve(self.next);
        }
        let room = self.buf.capacity() - self.buf.len();
        let read = ready!(pin!(io.read_buf(&mut self.buf)).poll(cx))?;
        if read == room {
            self.next = (self.next * 2).min(MOST_BYTES);
        } else if read < self.next / 2 {
            self.next = (self.next / 2).max(FIRST_BYTES);
        }
        Poll::Ready(Ok(read))
    }
}

fn lost(error: io::Error) -> CallError {
    CallError::new(Kind::ConnectionLost(error))
}

fn bad(error: BadReply) -> CallError {
    CallError::new(Kind::Protocol(error.into()))
}

/// The peer closed the connection instead of answering.
pub(super) fn closed() -> CallError {
    lost(io::ErrorKind::UnexpectedEof.into())
}
