//! A body that is read whole, as its pieces come.
//!
//! One buffer that grows would be copied again and again, and each time into memory that is new to the process: for
//! megabytes that takes milliseconds, in which nobody else of the worker is served.

use bytes::{Bytes, BytesMut};

/// A piece of this size is kept as it is. A smaller one is copied: it might be all that is left of a buffer.
const KEPT_BYTES: usize = 4 * 1024;
/// How much is copied into one buffer.
const BLOCK_BYTES: usize = 64 * 1024;

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    first: Bytes,
    /// What comes behind it, but for the last block.
    pieces: Vec<Bytes>,
    block: BytesMut,
    len: usize,
}

impl Gathered {
    /// One more piece has come.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.len == 0 {
            self.len = piece.len();
            self.first = piece;
            return;
        }
        self.len += piece.len();
        if piece.len() >= KEPT_BYTES || self.block.len() + piece.len() > BLOCK_BYTES {
            self.end_block();
        }
        if piece.len() >= KEPT_BYTES {
            self.pieces.push(piece);
        } else {
            self.block.extend_from_slice(&piece);
        }
    }

    /// All of it: without a copy if it came in one piece.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        if self.len == self.first.len() {
            return self.first;
        }
        self.end_block();
        let mut whole = Vec::with_capacity(self.len);
        whole.extend_from_slice(&self.first);
        // Each is let go of as soon as it is copied.
        self.pieces.into_iter().for_each(|piece| whole.extend_from_slice(&piece));
        whole.into()
    }

    fn end_block(&mut self) {
        if !self.block.is_empty() {
            self.pieces.push(std::mem::take(&mut self.block).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, Gathered, KEPT_BYTES};
    use bytes::Bytes;

    fn gathered(pieces: &[Bytes]) -> Gathered {
        let mut gathered = Gathered::default();
        pieces.iter().for_each(|piece| gathered.push(piece.clone()));
        gathered
    }

    #[test]
    fn what_came_is_there_in_its_order() {
        let sizes = [3, KEPT_BYTES, 1, KEPT_BYTES - 1, 0, BLOCK_BYTES, BLOCK_BYTES / 2, 5];
        for count in 0..=sizes.len() {
            let pieces: Vec<_> =
                sizes[..count].iter().zip(1..).map(|(&size, byte)| Bytes::from(vec![byte; size])).collect();
            assert_eq!(gathered(&pieces).into_bytes(), pieces.concat(), "{count} pieces");
        }
        let tiny: Vec<_> = (0..100_000_u32).map(|n| Bytes::from(n.to_le_bytes().to_vec())).collect();
        assert_eq!(gathered(&tiny).into_bytes(), tiny.concat());
    }

    #[test]
    fn one_piece_is_not_copied_and_tiny_ones_are() {
        let piece = Bytes::from(vec![1; 100]);
        let whole = gathered(&[Bytes::new(), piece.clone(), Bytes::new()]).into_bytes();
        assert_eq!(whole.as_ptr(), piece.as_ptr());
        drop(whole);
        let buffer = Bytes::from(vec![1; 1 << 20]);
        let gathered = gathered(&[Bytes::from_static(b"x"), buffer.slice(..KEPT_BYTES - 1)]);
        assert!(buffer.is_unique(), "a small piece holds a large buffer");
        assert_eq!(gathered.into_bytes().len(), KEPT_BYTES);
    }
}
