//! What stands in a JSON string as it is. Blocks are of a fixed size, so that compilers look at sixteen
//! bytes with one instruction.

/// True if a JSON string holds these bytes as they are: no quote, no backslash, no control character.
#[inline(always)]
pub(crate) fn is_plain(chunk: &[u8; 32]) -> bool {
    // With bit 1 flipped, quote (0x22) and control characters (below 0x20) are what is below 0x21.
    let stops = |&byte: &u8| u8::from(byte ^ 2 < 0x21) | u8::from(byte == b'\\');
    chunk.iter().fold(0, |found, byte| found | stops(byte)) == 0
}

/// As [`is_plain`], and all bytes are ASCII.
#[inline(always)]
pub(crate) fn is_plain_ascii<const N: usize>(chunk: &[u8; N]) -> bool {
    // As signed numbers, what is not ASCII is below 0x21 as well.
    let other = |&byte: &u8| u8::from((byte ^ 2).cast_signed() < 0x21) | u8::from(byte == b'\\');
    chunk.iter().fold(0, |found, byte| found | other(byte)) == 0
}
