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
        _ => long_varint(bytes),
    }
}

#[inline(never)]
fn long_varint(bytes: &[u8]) -> Taken<'_, u64> {
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
