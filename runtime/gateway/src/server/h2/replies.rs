//! What the h2 library answers by itself, read off the frames that go out.
//!
//! It refuses streams that we are never told of: of heads that are too large, with a bare 431; of heads that are no
//! request; and of more streams than there may be. Only what it writes shows that.

/// Bytes of a frame's head (RFC 9113, section 4.1), and of one with the code of a reset behind it (section 6.4).
const HEAD: usize = 9;
const HEAD_OF_RESET: usize = 13;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;

/// A frame that can be the answer to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// HEADERS of this stream.
    Headers(u32),
    /// RST_STREAM of this stream, with this code.
    Reset(u32, u32),
}

/// Reads frame heads off a connection's outgoing bytes.
#[derive(Debug)]
pub(super) struct Replies {
    /// Bytes to pass over before the next head.
    skip: usize,
    head: [u8; HEAD_OF_RESET],
    filled: usize,
}

impl Replies {
    pub(super) fn new() -> Self {
        Self { skip: 0, head: [0; HEAD_OF_RESET], filled: 0 }
    }

    /// Takes what was written, and tells of each reply in it.
    pub(super) fn wrote(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Reply)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let wanted = if self.filled >= HEAD { HEAD_OF_RESET } else { HEAD };
            let taken = (wanted - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            let kind = self.head[3];
            if self.filled == HEAD && kind != RST_STREAM || self.filled == HEAD_OF_RESET {
                self.frame(&mut tell);
            }
        }
    }

    fn frame(&mut self, tell: &mut impl FnMut(Reply)) {
        let [high, mid, low, kind, _, rest @ ..] = self.head;
        let [a, b, c, d, code @ ..] = rest;
        let stream = u32::from_be_bytes([a, b, c, d]);
        let len = usize::from(high) << 16 | usize::from(mid) << 8 | usize::from(low);
        self.skip = len.saturating_sub(self.filled - HEAD);
        self.filled = 0;
        match kind {
            HEADERS => tell(Reply::Headers(stream)),
            RST_STREAM => tell(Reply::Reset(stream, u32::from_be_bytes(code))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
