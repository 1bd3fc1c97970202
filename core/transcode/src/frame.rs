//! gRPC's length-prefixed messages: one flag byte, four bytes of length, the message.
//!
//! Source: gRPC's `doc/PROTOCOL-HTTP2.md`, *Length-Prefixed-Message*.

mod compression;

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

pub use compression::{Bounds, DecompressError, decompress};

/// Bytes before each message.
pub const FRAME_HEADER_LEN: usize = 5;

/// One message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The payload is compressed with the stream's `grpc-encoding`.
    pub compressed: bool,
    /// The message, or its compressed form.
    pub payload: Bytes,
}

/// Why bytes are no sequence of frames. The stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The flag byte is neither 0 nor 1.
    #[error("a frame's flag is {0}, which gRPC does not define")]
    BadFlag(u8),
    /// The header announces more than the limit. Nothing of it was buffered.
    #[error("a message of {len} bytes is above the limit of {limit}")]
    TooLarge {
        /// What the header says.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The stream ended inside a frame.
    #[error("the stream ends inside a message: {missing} bytes are missing")]
    Truncated {
        /// Bytes that the frame still wanted; of its header, if that was not complete.
        missing: usize,
    },
}

/// Fills in the header of an uncompressed message of `len` bytes.
///
/// # Errors
/// [`FrameError::TooLarge`] if `len` does not fit in four bytes.
pub fn write_header(header: &mut [u8; FRAME_HEADER_LEN], len: usize) -> Result<(), FrameError> {
    let too_large = FrameError::TooLarge { len, limit: u32::MAX as usize };
    let [a, b, c, d] = u32::try_from(len).map_err(|_| too_large)?.to_be_bytes();
    *header = [0, a, b, c, d];
    Ok(())
}

/// Cuts a stream of chunks into frames.
///
/// A payload that lies within one chunk is a slice of it; any other is copied once. At most one
/// incomplete frame (≤ `limit` bytes) is held beside the chunks that were pushed and not yet read:
/// call [`next`](Self::next) until it gives `None` after each [`push`](Self::push).
#[derive(Debug)]
pub struct Deframer {
    limit: usize,
    chunks: VecDeque<Bytes>,
    /// Header bytes read so far.
    header: [u8; FRAME_HEADER_LEN],
    header_len: usize,
    /// Payload bytes read so far of a frame that spans chunks.
    partial: BytesMut,
}

// === impl Deframer ===

impl Deframer {
    /// Accepts payloads of up to `limit` bytes, as they are on the wire.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (chunks, partial) = (VecDeque::new(), BytesMut::new());
        Self { limit, chunks, header: [0; FRAME_HEADER_LEN], header_len: 0, partial }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next complete frame; `None` until more is pushed.
    ///
    /// # Errors
    /// [`FrameError::BadFlag`], [`FrameError::TooLarge`]; every later call gives the same.
    #[expect(clippy::should_implement_trait, reason = "an iterator would have to end at the first None")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if !self.fill_header() {
            return Ok(None);
        }
        let [flag, a, b, c, d] = self.header;
        let compressed = match flag {
            0 => false,
            1 => true,
            other => return Err(FrameError::BadFlag(other)),
        };
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if len > self.limit {
            return Err(FrameError::TooLarge { len, limit: self.limit });
        }
        Ok(self.take_payload(len).map(|payload| {
            self.header_len = 0;
            Frame { compressed, payload }
        }))
    }

    /// Of the frame that has begun and is not complete: whether it is compressed, and the length of its
    /// payload. To be asked after [`next`](Self::next) gave `None`.
    #[must_use]
    pub fn awaited(&self) -> Option<(bool, usize)> {
        let [flag, a, b, c, d] = self.header;
        (self.header_len == FRAME_HEADER_LEN).then(|| (flag == 1, u32::from_be_bytes([a, b, c, d]) as usize))
    }

    /// Says that the stream has ended.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] if it ended inside a frame; whatever [`next`](Self::next) gives for
    /// what was not read yet.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        while self.next()?.is_some() {}
        match self.header_len {
            0 => Ok(()),
            FRAME_HEADER_LEN => {
                let [_, a, b, c, d] = self.header;
                let len = u32::from_be_bytes([a, b, c, d]) as usize;
                Err(FrameError::Truncated { missing: len - self.partial.len() })
            }
            some => Err(FrameError::Truncated { missing: FRAME_HEADER_LEN - some }),
        }
    }

    fn fill_header(&mut self) -> bool {
        while self.header_len < FRAME_HEADER_LEN {
            let Some(chunk) = self.chunks.front_mut() else { return false };
            let rest = &mut self.header[self.header_len..];
            let count = rest.len().min(chunk.len());
            chunk.copy_to_slice(&mut rest[..count]);
            self.header_len += count;
            self.drop_empty();
        }
        true
    }

    fn take_payload(&mut self, len: usize) -> Option<Bytes> {
        if len == 0 {
            return Some(Bytes::new());
        }
        loop {
            let missing = len - self.partial.len();
            let chunk = self.chunks.front_mut()?;
            if chunk.len() >= missing {
                let last = chunk.split_to(missing);
                self.drop_empty();
                if self.partial.is_empty() {
                    return Some(last);
                }
                self.partial.extend_from_slice(&last);
                return Some(std::mem::take(&mut self.partial).freeze());
            }
            // Memory grows with what has come, not with what the header says will come.
            self.partial.extend_from_slice(chunk);
            self.chunks.pop_front();
        }
    }

    fn drop_empty(&mut self) {
        if self.chunks.front().is_some_and(Bytes::is_empty) {
            self.chunks.pop_front();
        }
    }
}
