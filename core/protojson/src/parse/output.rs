//! The growing message: fixed-size stores into prepared room, and length prefixes that are known
//! only afterwards.

use super::Failed;
use crate::schema::TagBytes;

/// Room behind the limit, so that stores of a fixed size need no exact one.
const SLACK: usize = 64;

/// How much room is prepared at once, at most: little, so that it is in the cache when it is written.
const STEP: usize = 2000;

/// A payload longer than this is not moved to close a gap in front of it.
const MOVE_MAX: usize = 64 * 1024;

/// Wire bytes being written. `at` is how far; behind it stands room, its content meaningless.
#[derive(Debug)]
pub(super) struct Output {
    buffer: Vec<u8>,
    at: usize,
    start: usize,
    limit: usize,
}

/// A length prefix that is still to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    prefix: usize,
    width: usize,
}

impl Mark {
    /// Where the payload starts, as long as its prefix stays open.
    pub(super) fn payload(self) -> usize {
        self.prefix + self.width
    }
}

impl Output {
    /// Appends to `buffer`, at most `limit` bytes; about `expected` are expected.
    pub(super) fn new(mut buffer: Vec<u8>, expected: usize, limit: usize) -> Self {
        let start = buffer.len();
        buffer.reserve(expected.min(limit));
        Self { buffer, at: start, start, limit: start.saturating_add(limit) }
    }

    /// The buffer, ending behind what was written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.buffer.truncate(self.at);
        self.buffer
    }

    /// The buffer as it was before.
    pub(super) fn discard(mut self) -> Vec<u8> {
        self.buffer.truncate(self.start);
        self.buffer
    }

    /// True if more was written than is allowed.
    pub(super) fn is_over(&self) -> bool {
        self.at > self.limit
    }

    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Takes back what was written behind `position`.
    #[inline]
    pub(super) fn rewind(&mut self, position: usize) {
        debug_assert!(position <= self.at, "rewinds go back");
        self.at = position;
    }

    /// What was written from `from` to `to`.
    #[inline]
    pub(super) fn written(&self, from: usize, to: usize) -> &[u8] {
        self.buffer.get(from..to.min(self.at)).unwrap_or_default()
    }

    /// Writes the first `len` of some bytes.
    #[inline(always)]
    pub(super) fn chunk<const N: usize>(&mut self, bytes: [u8; N], len: usize) -> Result<(), Failed> {
        match self.buffer.get_mut(self.at..).and_then(|room| room.first_chunk_mut::<N>()) {
            Some(room) => *room = bytes,
            None => self.chunk_slow(&bytes)?,
        }
        self.at += len;
        Ok(())
    }

    #[cold]
    fn chunk_slow(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.grow(bytes.len())?;
        let room = self.buffer.get_mut(self.at..self.at + bytes.len()).ok_or(Failed)?;
        room.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes bytes.
    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let end = self.at + bytes.len();
        match self.buffer.get_mut(self.at..end) {
            Some(room) => room.copy_from_slice(bytes),
            None if end > self.limit.saturating_add(SLACK) => return Err(Failed),
            None => {
                self.buffer.truncate(self.at);
                self.buffer.extend_from_slice(bytes);
            }
        }
        self.at = end;
        Ok(())
    }

    /// The next `len` bytes, to be written in place; [`advance`](Self::advance) keeps them.
    #[inline]
    pub(super) fn room(&mut self, len: usize) -> Result<&mut [u8], Failed> {
        if self.buffer.len() - self.at < len {
            self.grow(len)?;
        }
        self.buffer.get_mut(self.at..self.at + len).ok_or(Failed)
    }

    /// Keeps `len` bytes of the room.
    #[inline]
    pub(super) fn advance(&mut self, len: usize) {
        self.at += len;
    }

    /// Makes room for `more` bytes; fails when that would pass the limit.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) -> Result<(), Failed> {
        let most = self.limit.saturating_add(SLACK);
        let needed = self.at.checked_add(more).ok_or(Failed)?;
        if needed > most {
            return Err(Failed);
        }
        // What is allocated is used in large steps; more of it is asked for in steps of what was written, since
        // a small message needs little.
        let step = match self.buffer.capacity().checked_sub(needed) {
            Some(spare) => STEP.min(spare),
            None => STEP.min(SLACK + needed - self.start),
        };
        self.buffer.resize(needed.saturating_add(step).min(most), 0);
        Ok(())
    }

    /// Writes a tag (none for [`TagBytes::NONE`]).
    #[inline(always)]
    pub(super) fn tag(&mut self, tag: TagBytes) -> Result<(), Failed> {
        self.chunk(tag.word().to_le_bytes(), tag.len())
    }

    /// Writes a tag and a varint.
    #[inline(always)]
    pub(super) fn varint(&mut self, tag: TagBytes, value: u64) -> Result<(), Failed> {
        let shift = 8 * tag.len();
        if value < 0x80 {
            return self.chunk((tag.word() | value << shift).to_le_bytes(), tag.len() + 1);
        }
        // Up to four bytes of varint, spread by sevens, join the tag in one store.
        if value < 1 << 28 && shift <= 32 {
            let (bytes, len) = spread(value as u32);
            let word = tag.word() | u64::from(bytes) << shift;
            return self.chunk(word.to_le_bytes(), tag.len() + len);
        }
        self.tag(tag)?;
        let (bytes, len) = varint(value);
        self.chunk(bytes, len)
    }

    /// Writes a varint of a value below 2²⁸.
    #[inline(always)]
    pub(super) fn short_varint(&mut self, value: u32) -> Result<(), Failed> {
        if value < 0x80 {
            return self.chunk([value as u8], 1);
        }
        let (bytes, len) = spread(value);
        self.chunk(bytes.to_le_bytes(), len)
    }

    /// Writes a tag and four bytes.
    #[inline(always)]
    pub(super) fn fixed32(&mut self, tag: TagBytes, value: u32) -> Result<(), Failed> {
        self.tag(tag)?;
        self.chunk(value.to_le_bytes(), 4)
    }

    /// Writes a tag and eight bytes.
    #[inline(always)]
    pub(super) fn fixed64(&mut self, tag: TagBytes, value: u64) -> Result<(), Failed> {
        self.tag(tag)?;
        self.chunk(value.to_le_bytes(), 8)
    }

    /// Writes a tag, a length and the bytes.
    #[inline]
    pub(super) fn len_prefixed(&mut self, tag: TagBytes, bytes: &[u8]) -> Result<(), Failed> {
        self.varint(tag, bytes.len() as u64)?;
        self.bytes(bytes)
    }

    /// Leaves `width` bytes (1..=5) for a length that [`close`](Self::close) will know.
    #[inline]
    pub(super) fn open(&mut self, width: u8) -> Result<Mark, Failed> {
        let mark = Mark { prefix: self.at, width: usize::from(width) };
        self.chunk([0; 8], mark.width)?;
        Ok(mark)
    }

    /// Writes the length of what stands behind `mark`. Returns how many bytes it needed: the best
    /// guess for the next payload of the same kind.
    ///
    /// A wrong guess moves the payload, unless it is long and the prefix wide enough: then the
    /// varint is padded, which every parser reads. So a byte is moved at most once a level.
    #[inline]
    pub(super) fn close(&mut self, mark: Mark) -> Result<u8, Failed> {
        let len = self.at - mark.payload();
        if len < 0x80
            && mark.width == 1
            && let Some(prefix) = self.buffer.get_mut(mark.prefix)
        {
            *prefix = len as u8;
            return Ok(1);
        }
        self.close_slow(mark, len)
    }

    fn close_slow(&mut self, mark: Mark, len: usize) -> Result<u8, Failed> {
        if (0x80..0x4000).contains(&len)
            && mark.width == 2
            && let Some(prefix) = self.buffer.get_mut(mark.prefix..).and_then(<[u8]>::first_chunk_mut)
        {
            *prefix = [len as u8 | 0x80, (len >> 7) as u8];
            return Ok(2);
        }
        let (mut bytes, needed) = varint(len as u64);
        let mut width = needed;
        if needed < mark.width && len > MOVE_MAX {
            width = mark.width;
            if let Some((last, padding)) = bytes.get_mut(needed - 1..width).and_then(<[u8]>::split_first_mut) {
                *last |= 0x80;
                padding.fill(0x80);
            }
            if let Some(end) = bytes.get_mut(width - 1) {
                *end &= 0x7f;
            }
        } else if needed != mark.width {
            if needed > mark.width {
                self.room(needed - mark.width)?;
            }
            self.buffer.copy_within(mark.payload()..self.at, mark.prefix + needed);
            self.at = mark.prefix + needed + len;
        }
        if let Some(prefix) = self.buffer.get_mut(mark.prefix..mark.prefix + width) {
            prefix.copy_from_slice(bytes.get(..width).unwrap_or_default());
        }
        Ok(needed as u8)
    }
}

/// A varint of 7 to 28 bits, little endian, and its length, 2..=4.
#[inline(always)]
fn spread(value: u32) -> (u32, usize) {
    /// The continuation bits, and the length, by the number of bits beyond the first.
    const SHAPE: [(u32, u8); 32] = {
        let mut shape = [(0x0080_8080, 4); 32];
        let mut bit = 0;
        while bit < 21 {
            shape[bit] = if bit < 14 { (0x80, 2) } else { (0x8080, 3) };
            bit += 1;
        }
        shape
    };
    let (continued, len) = SHAPE[(31 - value.leading_zeros()) as usize & 31];
    let pairs = value & 0x3fff | (value & 0x0fff_c000) << 2;
    (pairs & 0x007f_007f | (pairs & 0x3f80_3f80) << 1 | continued, len.into())
}

/// A varint and its length, 1..=10.
#[inline]
fn varint(mut value: u64) -> ([u8; 16], usize) {
    let mut bytes = [0; 16];
    let mut len = 0;
    while value >= 0x80 {
        bytes[len & 15] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    bytes[len & 15] = value as u8;
    (bytes, len + 1)
}

#[cfg(test)]
mod tests;
