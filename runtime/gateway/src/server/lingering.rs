//! Closing a socket without losing what was written to it.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a client has to take what it was sent, and to close its side.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// Bytes that are read and thrown away meanwhile; a client that sends more has had its chance.
const DISCARD_MAX_BYTES: usize = 1024 * 1024;
/// Bytes of them before it is the turn of other connections: a client that is thrown out in the middle of a flood has
/// the buffers of two kernels full.
const DISCARD_IN_TURN_BYTES: usize = 16 * 1024;

/// A socket whose `shutdown` waits until the client has closed its side too, or for [`LINGER`].
///
/// A socket that is closed with unread bytes in it resets its connection, and a reset discards at the
/// client what it has not read: an answer would be lost because the next request crossed with it
/// (RFC 9112, section 9.6).
#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    /// From the moment our side is closed.
    end: Option<Pin<Box<Sleep>>>,
    discarded: usize,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, end: None, discarded: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.end.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let end = this.end.get_or_insert_with(|| Box::pin(tokio::time::sleep_until((clock::now() + LINGER).into())));
        let mut bytes = [0; 4096];
        let before = this.discarded;
        while this.discarded < DISCARD_MAX_BYTES {
            if this.discarded - before >= DISCARD_IN_TURN_BYTES {
                // Not before sockets were looked at, so that others have a turn.
                let _ = pin!(tokio::task::yield_now()).poll(context);
                return Poll::Pending;
            }
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut this.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => this.discarded += buffer.filled().len(),
                // Closed, or reset: the client has gone.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return end.as_mut().poll(context).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
