//! The growing JSON text.

use crate::schema::Key;

/// Appends to a buffer that is zero-filled ahead of the text, so that short pieces are copied as
/// blocks of fixed size and no single write reserves.
///
/// Writes never fail: text above the limit is thrown away and remembered, see
/// [`overflowed`](Self::overflowed).
pub(super) struct Writer {
    buffer: Vec<u8>,
    /// Where the next byte goes.
    at: usize,
    /// Length of what the buffer held before.
    base: usize,
    /// The most that `at` may become.
    limit: usize,
    overflowed: bool,
}

/// The largest block that is copied as a whole.
const BLOCK: usize = Key::SHORT;

/// How far ahead of the text the buffer is zeroed.
const STEP: usize = 1024;

impl Writer {
    /// Appends to `buffer` at most `max_output` bytes, of which `expected` are reserved at once.
    pub(super) fn new(mut buffer: Vec<u8>, expected: usize, max_output: usize) -> Self {
        let base = buffer.len();
        let limit = base.saturating_add(max_output);
        // Reserved, but zeroed only as the text gets there: see `grow`.
        buffer.reserve(expected.min(max_output).saturating_add(STEP));
        buffer.resize(base + expected.min(STEP) + BLOCK, 0);
        Self { buffer, at: base, base, limit, overflowed: false }
    }

    /// Throws away what was written, to write it anew.
    pub(super) fn restart(&mut self) {
        self.at = self.base;
        self.overflowed = false;
    }

    /// The buffer with the text behind what it held before; without it if `keep` is false.
    pub(super) fn finish(mut self, keep: bool) -> Vec<u8> {
        self.buffer.truncate(if keep { self.at } else { self.base });
        self.buffer
    }

    /// What was written between two positions.
    pub(super) fn since(&self, start: usize, end: usize) -> &[u8] {
        self.buffer.get(start..end).unwrap_or_default()
    }

    /// True once the text became longer than allowed.
    #[inline]
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed || self.at > self.limit
    }

    /// Where the next byte goes.
    #[inline(always)]
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Replaces a byte that was written, or the one about to be.
    #[inline(always)]
    pub(super) fn patch(&mut self, position: usize, byte: u8) {
        if let Some(place) = self.buffer.get_mut(position) {
            *place = byte;
        }
    }

    /// Ends an object or list that began at `start`: every member wrote a comma before it, the first
    /// of which becomes the opening bracket.
    #[inline(always)]
    pub(super) fn close(&mut self, start: usize, open: u8, close: u8) {
        if self.at == start {
            self.byte(open);
        } else {
            self.patch(start, open);
        }
        self.byte(close);
    }

    /// Drops what was written since `position`.
    #[inline]
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    /// Writes one byte.
    #[inline(always)]
    pub(super) fn byte(&mut self, byte: u8) {
        match self.buffer.get_mut(self.at) {
            Some(place) => *place = byte,
            None => {
                self.grow(1);
                self.patch(self.at, byte);
            }
        }
        self.at += 1;
    }

    /// Writes the first `len` bytes of a block.
    #[inline(always)]
    pub(super) fn block<const N: usize>(&mut self, block: &[u8; N], len: usize) {
        match self.space() {
            Some(place) => *place = *block,
            None => {
                self.grow(N);
                if let Some(place) = self.space() {
                    *place = *block;
                }
            }
        }
        self.at += len;
    }

    /// Writes `,"name":`.
    #[inline(always)]
    pub(super) fn key(&mut self, key: &Key) {
        if key.len != 0 {
            self.block(&key.short, usize::from(key.len));
        } else {
            self.slice(&key.long);
        }
    }

    /// Writes bytes of any number.
    #[inline]
    pub(super) fn slice(&mut self, bytes: &[u8]) {
        if let Some(place) = self.reserve(bytes.len()).get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }

    /// Room for at least `len` bytes and a block; say how many became text by [`advance`](Self::advance).
    #[inline]
    pub(super) fn reserve(&mut self, len: usize) -> &mut [u8] {
        if self.buffer.len() - self.at < len + BLOCK {
            self.grow(len + BLOCK);
        }
        self.buffer.get_mut(self.at..).unwrap_or_default()
    }

    /// Takes `len` bytes, written into what [`reserve`](Self::reserve) gave, as text.
    #[inline]
    pub(super) fn advance(&mut self, len: usize) {
        self.at += len;
    }

    #[inline(always)]
    fn space<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.buffer.get_mut(self.at..)?.first_chunk_mut()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        if self.at.saturating_add(more) > self.limit.saturating_add(2 * BLOCK) {
            self.overflowed = true;
            self.at = self.base;
        }
        let need = self.at.saturating_add(more);
        if need > self.buffer.len() {
            self.buffer.resize(need.saturating_add(STEP), 0);
        }
    }
}
