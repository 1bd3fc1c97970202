//! The protobuf wire format, as far as a codec without generated code needs it.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// The wire type of a tag: its low three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WireType {
    /// Base-128 varint, at most ten bytes.
    Varint = 0,
    /// Eight bytes, little endian.
    Fixed64 = 1,
    /// A length, then that many bytes.
    Len = 2,
    /// Start of a group (a *delimited* message).
    StartGroup = 3,
    /// End of a group.
    EndGroup = 4,
    /// Four bytes, little endian.
    Fixed32 = 5,
}

impl WireType {
    /// The low three bits of a tag.
    #[inline]
    pub(crate) fn of_tag(tag: u32) -> Option<Self> {
        match tag & 7 {
            0 => Some(Self::Varint),
            1 => Some(Self::Fixed64),
            2 => Some(Self::Len),
            3 => Some(Self::StartGroup),
            4 => Some(Self::EndGroup),
            5 => Some(Self::Fixed32),
            _ => None,
        }
    }
}

/// Why bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The input ends inside a value.
    #[error("the message is truncated")]
    Truncated,
    /// A varint of more than ten bytes, or a length above the input's.
    #[error("a varint is longer than ten bytes")]
    BadVarint,
    /// Field number 0 or above 2²⁹-1, or wire type 6 or 7.
    #[error("a tag is invalid")]
    BadTag,
    /// An end-group tag without its start, or of another number.
    #[error("an end-group tag matches no start")]
    BadGroup,
    /// Groups nested deeper than the limit.
    #[error("messages are nested too deeply")]
    TooDeep,
    /// More than 4 GiB.
    #[error("the message is longer than 4 GiB")]
    TooLong,
}

/// A cursor over wire bytes. Copying it is cheap: save one to come back to.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the first byte of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads on from a place that another reader of the same bytes has been at.
    #[inline]
    pub(crate) fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// True when every byte was read.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How many bytes were read.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes from `start` (a former [`position`](Self::position)) to here.
    #[must_use]
    #[inline]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// Reads a varint of up to ten bytes; bits past the 64th are dropped, as protobuf's parsers do.
    ///
    /// # Errors
    /// [`WireError::Truncated`], [`WireError::BadVarint`].
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            Some(_) => self.varint_slow(),
            None => Err(WireError::Truncated),
        }
    }

    fn varint_slow(&mut self) -> Result<u64, WireError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if let Some(word) = rest.first_chunk::<8>() {
            // All bytes at once: the first without its high bit is the last of the number.
            let word = u64::from_le_bytes(*word);
            let last = !word & 0x8080_8080_8080_8080;
            if last != 0 {
                self.at += last.trailing_zeros() as usize / 8 + 1;
                let sevens = word & (last ^ last.wrapping_sub(1)) & 0x7f7f_7f7f_7f7f_7f7f;
                let pairs = sevens & 0x007f_007f_007f_007f | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
                let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
                return Ok(fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4);
            }
        }
        self.varint_by_byte()
    }

    #[cold]
    fn varint_by_byte(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for (index, &byte) in rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(if rest.len() < 10 { WireError::Truncated } else { WireError::BadVarint })
    }

    /// Reads a tag: field number (1..=2²⁹-1) and wire type.
    ///
    /// # Errors
    /// [`WireError::BadTag`], also for one of more than five bytes; [`WireError::Truncated`].
    #[inline]
    pub fn tag(&mut self) -> Result<(u32, WireType), WireError> {
        let raw = match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                u32::from(byte)
            }
            Some(_) => self.tag_slow()?,
            None => return Err(WireError::Truncated),
        };
        let number = raw >> 3;
        if number == 0 {
            return Err(WireError::BadTag);
        }
        let wire_type = WireType::of_tag(raw).ok_or(WireError::BadTag)?;
        Ok((number, wire_type))
    }

    /// A tag is a 32-bit number: unlike a value, it may not be padded beyond five bytes.
    fn tag_slow(&mut self) -> Result<u32, WireError> {
        let mut value = 0u32;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for (index, &byte) in rest.iter().take(5).enumerate() {
            if index == 4 && byte > 0x0f {
                return Err(WireError::BadTag);
            }
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.at += index + 1;
                return Ok(value);
            }
        }
        Err(WireError::Truncated)
    }

    /// Reads four bytes, little endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn fixed32(&mut self) -> Result<u32, WireError> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<4>());
        let value = u32::from_le_bytes(*bytes.ok_or(WireError::Truncated)?);
        self.at += 4;
        Ok(value)
    }

    /// Reads eight bytes, little endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn fixed64(&mut self) -> Result<u64, WireError> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>());
        let value = u64::from_le_bytes(*bytes.ok_or(WireError::Truncated)?);
        self.at += 8;
        Ok(value)
    }

    /// Reads a length and the bytes behind it.
    ///
    /// # Errors
    /// [`WireError::Truncated`] and those of [`varint`](Self::varint).
    #[inline]
    pub fn len_prefixed(&mut self) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
        let end = self.at.checked_add(len).ok_or(WireError::Truncated)?;
        let bytes = self.bytes.get(self.at..end).ok_or(WireError::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// Skips the value behind a tag; `depth` bounds nested groups.
    ///
    /// # Errors
    /// Whatever makes the value unreadable; [`WireError::TooDeep`] past `depth` groups.
    #[inline]
    pub fn skip(&mut self, number: u32, wire_type: WireType, depth: u32) -> Result<(), WireError> {
        match wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::Fixed64 => self.fixed64().map(drop),
            WireType::Len => self.len_prefixed().map(drop),
            WireType::Fixed32 => self.fixed32().map(drop),
            WireType::EndGroup => Err(WireError::BadGroup),
            WireType::StartGroup => self.group(number, depth).map(drop),
        }
    }

    /// Reads what stands between a start-group tag (just read) and its end tag.
    ///
    /// # Errors
    /// As [`skip`](Self::skip).
    pub fn group(&mut self, number: u32, depth: u32) -> Result<&'a [u8], WireError> {
        let start = self.at;
        let mut open = vec![number];
        loop {
            let before = self.at;
            match self.tag()? {
                (inner, WireType::StartGroup) => {
                    if open.len() >= depth as usize {
                        return Err(WireError::TooDeep);
                    }
                    open.push(inner);
                }
                (inner, WireType::EndGroup) => {
                    if open.pop() != Some(inner) {
                        return Err(WireError::BadGroup);
                    }
                    if open.is_empty() {
                        return Ok(self.bytes.get(start..before).unwrap_or_default());
                    }
                }
                (inner, wire_type) => self.skip(inner, wire_type, depth)?,
            }
        }
    }
}

/// Groups nested in unknown fields deeper than this are refused.
pub(crate) const MAX_DEPTH_OF_UNKNOWN: u32 = 100;

/// The largest field number: 2²⁹-1.
pub const MAX_FIELD_NUMBER: u32 = (1 << 29) - 1;

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag.
#[inline]
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    put_varint(out, (u64::from(number) << 3) | u64::from(wire_type as u8));
}

/// Appends a length and the bytes.
#[inline]
pub fn put_len_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Maps a signed number to the unsigned one of `sint32`/`sint64` (zigzag).
#[must_use]
#[inline]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
#[must_use]
#[inline]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
