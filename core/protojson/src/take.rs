//! Wire values off the front of a slice: a cursor that stays in registers.

use crate::schema::TagBytes;
use crate::wire::{MAX_DEPTH_OF_UNKNOWN, Reader, WireError, WireType};

/// What was read, and what is behind it.
pub(crate) type Taken<'a, T> = Result<(T, &'a [u8]), WireError>;

/// A varint of up to ten bytes.
#[inline(always)]
pub(crate) fn varint(bytes: &[u8]) -> Taken<'_, u64> {
    match *bytes {
        [byte, ref rest @ ..] if byte < 0x80 => Ok((u64::from(byte), rest)),
        [low, high, ref rest @ ..] if high < 0x80 => Ok((u64::from(low & 0x7f) | u64::from(high) << 7, rest)),
        [low, middle, high, ref rest @ ..] if high < 0x80 => {
            let value = u64::from(low & 0x7f) | u64::from(middle & 0x7f) << 7 | u64::from(high) << 14;
            Ok((value, rest))
        }
        _ => long_varint(bytes),
    }
}

/// Four bytes and more: all at once, if there are eight to look at.
#[inline(always)]
fn long_varint(bytes: &[u8]) -> Taken<'_, u64> {
    if let Some(word) = bytes.first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // The first byte without its high bit is the last of the number.
        let last = !word & 0x8080_8080_8080_8080;
        if last != 0 {
            let sevens = word & (last ^ last.wrapping_sub(1)) & 0x7f7f_7f7f_7f7f_7f7f;
            let pairs = sevens & 0x007f_007f_007f_007f | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
            let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
            let value = fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4;
            let len = last.trailing_zeros() as usize / 8 + 1;
            return bytes.get(len..).map(|rest| (value, rest)).ok_or(WireError::Truncated);
        }
    }
    varint_by_byte(bytes)
}

#[cold]
fn varint_by_byte(bytes: &[u8]) -> Taken<'_, u64> {
    let mut reader = Reader::new(bytes);
    let value = reader.varint()?;
    Ok((value, bytes.get(reader.position()..).unwrap_or_default()))
}

/// Number and wire type, as one number.
#[inline(always)]
pub(crate) fn tag(bytes: &[u8]) -> Taken<'_, u32> {
    match *bytes {
        [byte, ref rest @ ..] if byte < 0x80 => Ok((u32::from(byte), rest)),
        [low, high, ref rest @ ..] if high < 0x80 => Ok((u32::from(low & 0x7f) | u32::from(high) << 7, rest)),
        _ => long_tag(bytes),
    }
}

#[cold]
fn long_tag(bytes: &[u8]) -> Taken<'_, u32> {
    let mut reader = Reader::new(bytes);
    let (number, wire_type) = reader.tag()?;
    Ok((number << 3 | wire_type as u32, bytes.get(reader.position()..).unwrap_or_default()))
}

/// What is behind `tag`, if just that comes next.
#[inline(always)]
pub(crate) fn same_tag<'a>(bytes: &'a [u8], tag: &TagBytes) -> Option<&'a [u8]> {
    let rest = match (tag.as_slice(), bytes) {
        ([a], [b, rest @ ..]) if a == b => rest,
        ([a, b], [c, d, rest @ ..]) if a == c && b == d => rest,
        ([_] | [_, _], _) => return None,
        (tag, _) => bytes.strip_prefix(tag)?,
    };
    Some(rest)
}

/// Four bytes, little endian.
#[inline(always)]
pub(crate) fn fixed32(bytes: &[u8]) -> Taken<'_, u32> {
    let (value, rest) = bytes.split_first_chunk().ok_or(WireError::Truncated)?;
    Ok((u32::from_le_bytes(*value), rest))
}

/// Eight bytes, little endian.
#[inline(always)]
pub(crate) fn fixed64(bytes: &[u8]) -> Taken<'_, u64> {
    let (value, rest) = bytes.split_first_chunk().ok_or(WireError::Truncated)?;
    Ok((u64::from_le_bytes(*value), rest))
}

/// A length and the bytes that it counts.
#[inline(always)]
pub(crate) fn len_prefixed(bytes: &[u8]) -> Taken<'_, &[u8]> {
    let (len, rest) = varint(bytes)?;
    // A length above the address space is above the slice's as well.
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    rest.split_at_checked(len).ok_or(WireError::Truncated)
}

/// What is behind the value of a tag; an end-group tag is an error.
#[cold]
pub(crate) fn skip(bytes: &[u8], tag: u32) -> Result<&[u8], WireError> {
    let wire_type = WireType::of_tag(tag).ok_or(WireError::BadTag)?;
    if tag >> 3 == 0 {
        return Err(WireError::BadTag);
    }
    let mut reader = Reader::new(bytes);
    reader.skip(tag >> 3, wire_type, MAX_DEPTH_OF_UNKNOWN)?;
    Ok(bytes.get(reader.position()..).unwrap_or_default())
}
