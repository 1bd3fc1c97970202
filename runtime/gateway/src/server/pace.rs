//! How much of a request's body is read at a time.

use bytes::Bytes;
use http_body::Frame;
use std::task::{Context, Poll};
use tidegate_upstream::turn::Pause;

/// Bytes of a body that are read before it is the turn of others: as much as is read of a reply.
const TURN_BYTES: usize = 64 * 1024;
/// What a piece counts as beside its bytes. Half a microsecond goes into one, however small it is: a chunk on h1, a
/// DATA frame on h2.
const PIECE_BYTES: usize = 512;

/// The turns of one body: whoever reads it does so for as long as something is there, which is for as long as the
/// client sends, and a client can send faster than anybody reads.
#[derive(Debug, Default)]
pub(super) struct Pace {
    read: usize,
    /// Between two turns.
    pause: Option<Pause>,
}

impl Pace {
    /// Ready when more may be read.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.read < TURN_BYTES {
            return Poll::Ready(());
        }
        match &self.pause {
            Some(pause) if pause.is_over() => {
                *self = Self::default();
                Poll::Ready(())
            }
            Some(pause) if pause.wakes(context) => Poll::Pending,
            // The body may have been given to another task meanwhile.
            _ => {
                self.pause = Some(Pause::begin(context));
                Poll::Pending
            }
        }
    }

    /// A piece was read.
    pub(super) fn read(&mut self, frame: &Frame<Bytes>) {
        self.read += PIECE_BYTES + frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests;
