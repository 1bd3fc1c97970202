//! Two connections that have become one: bytes in, bytes out.

use super::super::stopping;
use super::refuse_over;
use crate::answer::Refusal;
use crate::exchange::Exchange;
use crate::idle::Watch;
use bytes::Bytes;
use http::StatusCode;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_upstream::Tunnel;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at a time, each way.
const BUFFER_BYTES: usize = 16 * 1024;

/// An upstream's socket that waits for the client's.
pub(crate) struct Handover {
    tunnel: Tunnel,
    exchange: Exchange,
    idle: Duration,
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").field("tunnel", &self.tunnel).finish_non_exhaustive()
    }
}

impl Handover {
    pub(crate) fn new(tunnel: Tunnel, exchange: Exchange, idle: Duration) -> Self {
        Self { tunnel, exchange, idle }
    }

    /// Carries bytes until both sides have ended, the upstream has, or neither says anything for too long.
    /// `first` is what the client sent behind its request; `over` ends it when the gateway stops.
    pub(crate) async fn run<S>(self, client: &mut S, first: Bytes, over: impl Future)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { mut tunnel, mut exchange, idle } = self;
        let mut up = Pump::new(first);
        let mut down = Pump::new(tunnel.take_first());
        let mut watch = Watch::new(idle, None, None);
        let upstream = tunnel.stream();
        let carried = poll_fn(|context| {
            let moved = up.moved + down.moved;
            let sent = up.poll(client, upstream, context);
            let received = down.poll(upstream, client, context);
            if up.moved + down.moved > moved {
                watch.moved();
            }
            match (sent, received) {
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
                (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(Err(None)),
                // What the upstream ended is over: the client was told by the end of it.
                (Poll::Pending, Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
                (_, Poll::Pending) => watch.poll_over(context).map(|over| Err(Some(refuse_over(over)))),
            }
        });
        let ended = tokio::select! {
            biased;
            ended = carried => ended,
            _ = over => Err(Some(stopping())),
        };
        exchange.received(up.moved);
        exchange.sent(down.moved);
        let why: Option<Refusal> = ended.err().flatten();
        exchange.end_plain(StatusCode::SWITCHING_PROTOCOLS, why.as_ref());
    }
}

/// One direction.
struct Pump {
    buffer: Box<[u8]>,
    /// What is in the buffer and not yet written.
    pending: std::ops::Range<usize>,
    first: Bytes,
    /// The reader has ended.
    ended: bool,
    /// The writer was told, and is not to be told again.
    told: bool,
    moved: usize,
}

impl Pump {
    fn new(first: Bytes) -> Self {
        Self { buffer: vec![0; BUFFER_BYTES].into(), pending: 0..0, first, ended: false, told: false, moved: 0 }
    }

    /// Ready when the reader has ended and the writer was told.
    fn poll<R, W>(&mut self, reader: &mut R, writer: &mut W, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while !self.first.is_empty() {
                let written = ready!(Pin::new(&mut *writer).poll_write(context, &self.first))?;
                self.wrote(written)?;
                let _ = self.first.split_to(written);
            }
            while !self.pending.is_empty() {
                let piece = &self.buffer[self.pending.clone()];
                let written = ready!(Pin::new(&mut *writer).poll_write(context, piece))?;
                self.wrote(written)?;
                self.pending.start += written;
            }
            if self.told {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                ready!(Pin::new(&mut *writer).poll_shutdown(context))?;
                self.told = true;
                continue;
            }
            let mut buffer = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *reader).poll_read(context, &mut buffer)? {
                Poll::Ready(()) => {
                    self.pending = 0..buffer.filled().len();
                    self.ended = self.pending.is_empty();
                }
                Poll::Pending => {
                    // Nothing more to add to it for now.
                    ready!(Pin::new(&mut *writer).poll_flush(context))?;
                    return Poll::Pending;
                }
            }
        }
    }

    fn wrote(&mut self, written: usize) -> io::Result<()> {
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.moved += written;
        Ok(())
    }
}
