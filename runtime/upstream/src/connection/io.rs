//! The socket as `h2` sees it: reads go through, writes gather until the end of a loop turn.
//!
//! `h2` flushes after every payload above its copy threshold, which would be a system call for each
//! request with a body. Here a flush is a promise: what is written is copied into one buffer, and
//! the driver sends it when `h2` has nothing more to do. So all that became ready in one turn of
//! the loop leaves in one system call.

#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use crate::turn::Pause;
use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// What the buffer holds before it is sent within a turn.
const BUFFER_BYTES: usize = 64 * 1024;

/// A write of this size is not worth copying if nothing is buffered before it.
const DIRECT_BYTES: usize = 32 * 1024;

/// Bytes that are read before it is the turn of other tasks: four full frames. A peer that sends as fast as
/// they are read would have the worker for as long as its windows last, which is megabytes.
const TURN_BYTES: usize = 64 * 1024;

/// The socket, given to `h2`.
#[derive(Debug)]
pub(super) struct Io {
    read: OwnedReadHalf,
    read_in_turn: usize,
    /// Between two turns.
    pause: Option<Pause>,
    write: Arc<Mutex<Out>>,
    heard: Arc<AtomicBool>,
}

/// The driver's hand on the socket.
#[derive(Debug)]
pub(super) struct Flusher(Arc<Mutex<Out>>);

#[derive(Debug)]
struct Out {
    half: OwnedWriteHalf,
    buffer: BytesMut,
}

/// Splits a socket into what `h2` reads and writes, and what sends its writes. `heard` is set
/// whenever something arrives.
pub(super) fn split(socket: TcpStream, heard: Arc<AtomicBool>) -> (Io, Flusher) {
    let (read, half) = socket.into_split();
    let write = Arc::new(Mutex::new(Out { half, buffer: BytesMut::new() }));
    (Io { read, read_in_turn: 0, pause: None, write: Arc::clone(&write), heard }, Flusher(write))
}

// === impl Flusher ===

impl Flusher {
    /// Sends what is buffered; ready when all is sent.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_send(cx, 0)
    }
}

// === impl Out ===

impl Out {
    /// Sends until at most `rest` bytes are left.
    fn poll_send(&mut self, cx: &mut Context<'_>, rest: usize) -> Poll<io::Result<()>> {
        while self.buffer.len() > rest {
            let sent = ready!(Pin::new(&mut self.half).poll_write(cx, &self.buffer))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

// === impl Io ===

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.pause.take_if(|pause| pause.is_over()).is_some() {
            self.read_in_turn = 0;
        }
        if self.read_in_turn >= TURN_BYTES {
            self.pause.get_or_insert_with(|| Pause::begin(cx));
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.read).poll_read(cx, buf) else {
            self.read_in_turn = 0;
            return Poll::Pending;
        };
        read?;
        self.read_in_turn += buf.filled().len() - before;
        self.heard.store(true, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut out = self.write.lock();
        if out.buffer.len() >= BUFFER_BYTES {
            // The peer's window bounds what is sent; this bounds what a slow socket leaves here.
            ready!(out.poll_send(cx, BUFFER_BYTES - 1))?;
        }
        if out.buffer.is_empty() && bytes.len() >= DIRECT_BYTES {
            return Pin::new(&mut out.half).poll_write(cx, bytes);
        }
        out.buffer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// See the module: the driver sends.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = self.write.lock();
        ready!(out.poll_send(cx, 0))?;
        Pin::new(&mut out.half).poll_shutdown(cx)
    }
}
