//! What stands in a JSON string as it is, sixteen bytes an instruction.

use wide::{i8x16, u8x16};

/// True if a JSON string holds these bytes as they are, and all are ASCII: no quote, no backslash, no control
/// character.
#[inline(always)]
pub(crate) fn is_plain_ascii<const N: usize>(chunk: &[u8; N]) -> bool {
    // With bit 1 flipped, quote (0x22) and control characters (below 0x20) are what is below 0x21; as signed
    // numbers, what is not ASCII is so as well.
    let other = |&byte: &u8| u8::from((byte ^ 2).cast_signed() < 0x21) | u8::from(byte == b'\\');
    chunk.iter().fold(0, |found, byte| found | other(byte)) == 0
}

/// The first byte of a block that is not plain: a quote, a backslash, a control character.
#[inline(always)]
pub(crate) fn first_stop<const N: usize>(block: &[u8; N]) -> Option<usize> {
    first(block, |bytes| {
        let flipped = bytes ^ u8x16::splat(2);
        flipped.min(u8x16::splat(0x20)).simd_eq(flipped) | bytes.simd_eq(u8x16::splat(b'\\'))
    })
}

/// As [`first_stop`], or not ASCII.
#[inline(always)]
pub(crate) fn first_special<const N: usize>(block: &[u8; N]) -> Option<usize> {
    first(block, |bytes| {
        // As signed numbers, what is not ASCII is below 0x21 as well: then the difference has the highest bit.
        let flipped = (bytes ^ u8x16::splat(2)).cast_signed();
        let below = flipped.saturating_sub(i8x16::splat(0x21)).cast_unsigned();
        below | bytes.simd_eq(u8x16::splat(b'\\'))
    })
}

/// The first of 16 or 32 bytes that `mark` gives the highest bit.
#[inline(always)]
fn first<const N: usize>(block: &[u8; N], mark: impl Fn(u8x16) -> u8x16) -> Option<usize> {
    let marks = match block.as_chunks::<16>().0 {
        [chunk] => mark(u8x16::new(*chunk)).to_bitmask(),
        [low, high] => mark(u8x16::new(*low)).to_bitmask() | mark(u8x16::new(*high)).to_bitmask() << 16,
        _ => 0,
    };
    (marks != 0).then(|| marks.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests;
