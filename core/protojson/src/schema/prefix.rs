//! What stands before a value, made once: its tag on the wire, its name in JSON.

use crate::wire::{WireType, put_tag};

/// An encoded tag, at most five bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TagBytes {
    /// Zero behind the tag.
    bytes: [u8; 8],
    len: u8,
}

impl TagBytes {
    /// No tag: what stands in front of the elements of a packed list.
    pub(crate) const NONE: Self = Self { bytes: [0; 8], len: 0 };

    /// The tag of any field.
    pub(crate) fn of(number: u32, wire_type: WireType) -> Self {
        let mut encoded = Vec::with_capacity(8);
        put_tag(&mut encoded, number, wire_type);
        let len = encoded.len() as u8;
        encoded.resize(8, 0);
        Self { bytes: encoded.try_into().unwrap_or_default(), len }
    }

    /// A tag of one byte: `number` below 16.
    pub(crate) const fn short(number: u8, wire_type: WireType) -> Self {
        Self { bytes: [number << 3 | wire_type as u8, 0, 0, 0, 0, 0, 0, 0], len: 1 }
    }

    /// The tag, little endian.
    #[inline(always)]
    pub(crate) fn word(self) -> u64 {
        u64::from_le_bytes(self.bytes)
    }

    /// The tag of the same field with another wire type.
    #[inline]
    pub(crate) fn with_wire_type(mut self, wire_type: WireType) -> Self {
        self.bytes[0] = self.bytes[0] & !7 | wire_type as u8;
        self
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        usize::from(self.len & 7)
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The low three bits: what [`WireType`] an unpacked value has.
    #[inline]
    pub(crate) fn wire_type(&self) -> u8 {
        self.bytes[0] & 7
    }
}

/// A member's name as JSON has it: comma, quoted name, colon.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The text, padded with zeros, so that it can be copied as one piece of fixed size.
    pub(crate) short: [u8; Key::SHORT],
    /// How much of `short` counts; 0 if the text is longer.
    pub(crate) len: u8,
    /// The text if it does not fit `short`.
    pub(crate) long: Box<[u8]>,
}

impl Key {
    pub(crate) const SHORT: usize = 32;

    /// The key of a member with this name.
    pub(super) fn of(name: &str) -> Self {
        Self::new(member(name).as_bytes())
    }

    pub(crate) fn new(text: &[u8]) -> Self {
        let mut key = Self { short: [0; Self::SHORT], len: 0, long: Box::default() };
        match key.short.get_mut(..text.len()) {
            Some(short) => {
                short.copy_from_slice(text);
                key.len = text.len() as u8;
            }
            None => key.long = text.into(),
        }
        key
    }
}

/// `,"name":`. A `json_name` may hold any character: escape what JSON must.
pub(super) fn member(name: &str) -> String {
    let mut key = String::from(",\"");
    for character in name.chars() {
        match character {
            '"' => key.push_str("\\\""),
            '\\' => key.push_str("\\\\"),
            control if u32::from(control) < 0x20 => key.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => key.push(other),
        }
    }
    key.push_str("\":");
    key
}
