//! Wire bytes whose lengths are put in at the end.

use crate::wire::{WireType, put_len_prefixed, put_tag, put_varint};

/// Bytes behind what the buffer held before, and the lengths that they still lack.
///
/// A message's length is known when it ends. Making room for it then would move every message once
/// for every one around it; so all lengths are put in together, in one walk from the end.
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    base: usize,
    /// `(position, length)`, ascending by position.
    lengths: Vec<(usize, usize)>,
    /// How many bytes the lengths that are known will take.
    pending: usize,
}

/// A length-prefixed value that has begun.
#[derive(Clone, Copy)]
pub(super) struct Content {
    index: usize,
    start: usize,
    pending: usize,
}

impl Output {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let base = bytes.len();
        Self { bytes, base, lengths: Vec::new(), pending: 0 }
    }

    /// Begins a value behind its tag.
    pub(super) fn begin(&mut self) -> Content {
        let start = self.bytes.len();
        self.lengths.push((start, 0));
        Content { index: self.lengths.len() - 1, start, pending: self.pending }
    }

    /// Ends the value that was begun last.
    pub(super) fn end(&mut self, content: Content) {
        let len = self.bytes.len() - content.start + self.pending - content.pending;
        if let Some(length) = self.lengths.get_mut(content.index) {
            length.1 = len;
        }
        self.pending += varint_len(len);
    }

    /// Takes back the value that was begun last, and what was written since `before`.
    pub(super) fn cancel(&mut self, content: Content, before: usize) {
        self.lengths.truncate(content.index);
        self.bytes.truncate(before);
    }

    /// The buffer with all lengths in place; as it was given if `keep` is false.
    pub(super) fn finish(mut self, keep: bool) -> Vec<u8> {
        if !keep {
            self.bytes.truncate(self.base);
            return self.bytes;
        }
        let mut unmoved = self.bytes.len();
        let mut free = unmoved + self.pending;
        self.bytes.resize(free, 0);
        let mut prefix = Vec::with_capacity(10);
        for &(position, len) in self.lengths.iter().rev() {
            free -= unmoved - position;
            self.bytes.copy_within(position..unmoved, free);
            unmoved = position;
            prefix.clear();
            put_varint(&mut prefix, len as u64);
            free -= prefix.len();
            if let Some(place) = self.bytes.get_mut(free..free + prefix.len()) {
                place.copy_from_slice(&prefix);
            }
        }
        self.bytes
    }

    pub(super) fn tag(&mut self, number: u32, wire_type: WireType) {
        put_tag(&mut self.bytes, number, wire_type);
    }

    pub(super) fn varint(&mut self, value: u64) {
        put_varint(&mut self.bytes, value);
    }

    /// Writes an enum's number: negative ones take ten bytes.
    pub(super) fn number(&mut self, value: i32) {
        put_varint(&mut self.bytes, i64::from(value).cast_unsigned());
    }

    pub(super) fn len_prefixed(&mut self, bytes: &[u8]) {
        put_len_prefixed(&mut self.bytes, bytes);
    }
}

fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - value.leading_zeros();
    bits.div_ceil(7).max(1) as usize
}
