//! Objects that are maps; duplicate keys.

use super::error::{ParseErrorKind, Segment, describe};
use super::number::type_name;
use super::output::Output;
use super::scalar::{bad_number, integer_text};
use super::scan::{peek, token};
use super::string::Text;
use super::{Failed, Parser, Step};
use crate::names::hash;
use crate::schema::{Field, Kind, TagBytes};
use crate::wire::{Reader, WireType};

/// A key that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapKey {
    /// Where it stands in the document.
    json: usize,
    /// Where it stands in the output, behind its tag.
    out: usize,
}

/// What the values of a map are.
#[derive(Clone, Copy, Debug)]
pub(super) enum MapValue<'a> {
    Field(&'a Field),
    /// `google.protobuf.Value`: the map is a `Struct`.
    Value,
}

/// Up to so many keys are compared each with each.
const FEW: usize = 8;

impl<'a> Parser<'a> {
    /// Reads an object as the entries of a map field.
    pub(super) fn map(&mut self, field: &'a Field, at: usize) -> Step {
        if peek(self.json, at) != b'{' {
            return Err(self.mismatch(at, "object (a map)"));
        }
        let Some((key, value)) = self.schema.map_entry(field) else {
            return Err(self.mismatch(at, "map"));
        };
        self.entries(field.tag, key.kind, MapValue::Field(value), at)
    }

    /// Reads the members of the object at `open` as entries behind `tag`.
    pub(super) fn entries(&mut self, tag: TagBytes, key: Kind, value: MapValue<'a>, open: usize) -> Step {
        let json = self.json;
        let (mut at, mut byte) = token(json, open + 1);
        if byte == b'}' {
            return Ok(at + 1);
        }
        let base = self.keys.len();
        let mut width = 1;
        loop {
            if byte != b'"' {
                return Err(self.syntax(at, "a key"));
            }
            let key_at = at;
            at = match self.entry(tag, key, value, at, &mut width) {
                Ok(end) => end,
                Err(Failed) => {
                    let key = self.key_text(key_at);
                    return Err(self.unwind(key_at, Segment::Key(key)));
                }
            };
            (at, byte) = token(json, at);
            if byte == b'}' {
                break;
            }
            if byte != b',' {
                return Err(self.syntax(at, "`,` or `}`"));
            }
            (at, byte) = token(json, at + 1);
        }
        if let Some(twice) = self.duplicate_key(base, key) {
            let key = describe(json, twice);
            return Err(self.fail(twice, ParseErrorKind::DuplicateKey { key: key.replacen("string ", "", 1) }));
        }
        self.keys.truncate(base);
        Ok(at + 1)
    }

    /// Reads one member and writes it as an entry; `width` is that of the last entry's length.
    fn entry(&mut self, tag: TagBytes, key: Kind, value: MapValue<'a>, key_at: usize, width: &mut u8) -> Step {
        let before = self.out.position();
        self.out.tag(tag)?;
        let prefix = self.out.position();
        let mark = self.out.open(*width)?;
        let at = self.map_key(key, key_at)?;
        let at = self.colon(at)?;
        let (at, _) = token(self.json, at);
        let behind_key = self.out.position();
        let end = match value {
            MapValue::Value => self.value_field(at)?,
            MapValue::Field(field) if peek(self.json, at) == b'n' => self.null_element(field, field.tag, at)?,
            MapValue::Field(field) => self.singular(field, field.tag, at, true)?,
        };
        if self.out.position() == behind_key {
            // An unknown enum value that is to be ignored: the entry goes with it.
            self.out.rewind(before);
            return Ok(end);
        }
        let payload = self.out.position() - mark.payload();
        *width = self.out.close(mark)?;
        debug_assert!(self.out.position() > prefix + payload, "an entry has a length");
        let start = self.out.position() - payload;
        self.keys.push(MapKey { json: key_at, out: start + 1 });
        Ok(end)
    }

    /// Reads the string at `at` as a key, and writes it as field 1.
    fn map_key(&mut self, kind: Kind, at: usize) -> Step {
        let (text, end) = self.string(at)?;
        let tag = TagBytes::short(1, kind.wire_type());
        let bytes = match text {
            Text::Plain(raw) => raw,
            Text::Scratch => &self.scratch,
        };
        match kind {
            Kind::String => self.out.len_prefixed(tag, bytes)?,
            Kind::Bool if bytes == b"true" => self.out.varint(tag, 1)?,
            Kind::Bool if bytes == b"false" => self.out.varint(tag, 0)?,
            Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64 => match integer_text(kind, bytes) {
                Ok(wire) => match kind.wire_type() {
                    WireType::Fixed32 => self.out.fixed32(tag, wire as u32)?,
                    WireType::Fixed64 => self.out.fixed64(tag, wire)?,
                    _ => self.out.varint(tag, wire)?,
                },
                Err(error) => {
                    let found = describe(self.json, at);
                    return Err(self.fail(at, bad_number(error, type_name(kind), found)));
                }
            },
            // Protobuf has no other key types; a descriptor may lie.
            _ => return Err(self.mismatch(at, type_name(kind))),
        }
        Ok(end)
    }

    /// Where the document has a key, among those from `base` on, for the second time.
    fn duplicate_key(&mut self, base: usize, kind: Kind) -> Option<usize> {
        let keys = self.keys.get_mut(base..).unwrap_or_default();
        match keys.len() {
            0 | 1 => None,
            2..=FEW => among_few(keys, &self.out, kind),
            _ => among_many(keys, &self.out, kind, &mut self.slots),
        }
    }
}

/// The key's bytes as written: two keys are equal if these are.
fn written(out: &Output, key: MapKey, kind: Kind) -> &[u8] {
    let mut reader = Reader::new(out.written(key.out, out.position()));
    if kind == Kind::String {
        return reader.len_prefixed().unwrap_or_default();
    }
    // Written by this parser, so it can be read; else it is compared as empty.
    let _ = reader.skip(1, kind.wire_type(), 0);
    reader.since(0)
}

fn among_few(keys: &[MapKey], out: &Output, kind: Kind) -> Option<usize> {
    let mut hashes = [0; FEW];
    for (slot, key) in hashes.iter_mut().zip(keys) {
        *slot = hash(written(out, *key, kind));
    }
    for (second, key) in keys.iter().enumerate().skip(1) {
        for first in 0..second {
            if hashes[first] == hashes[second] && written(out, keys[first], kind) == written(out, *key, kind) {
                return Some(key.json);
            }
        }
    }
    None
}

/// By a table of hashes, as long as they spread. Keys that were chosen to collide are sorted
/// instead, so that no choice of keys costs more than that.
fn among_many(keys: &mut [MapKey], out: &Output, kind: Kind, slots: &mut Vec<(u32, u32)>) -> Option<usize> {
    let capacity = (keys.len() * 2).next_power_of_two();
    slots.clear();
    slots.resize(capacity, (0, 0));
    let mut probes_left = keys.len().saturating_mul(8);
    for (number, key) in (1..).zip(keys.iter()) {
        let bytes = written(out, *key, kind);
        let hash = hash(bytes);
        let mut slot = hash as usize & (capacity - 1);
        while let Some(&(other_hash, other)) = slots.get(slot)
            && other != 0
        {
            if other_hash == hash
                && keys.get(other as usize - 1).is_some_and(|other| written(out, *other, kind) == bytes)
            {
                return Some(key.json);
            }
            probes_left -= 1;
            if probes_left == 0 {
                return by_sorting(keys, out, kind);
            }
            slot = (slot + 1) & (capacity - 1);
        }
        if let Some(free) = slots.get_mut(slot) {
            *free = (hash, number);
        }
    }
    None
}

fn by_sorting(keys: &mut [MapKey], out: &Output, kind: Kind) -> Option<usize> {
    keys.sort_unstable_by(|a, b| written(out, *a, kind).cmp(written(out, *b, kind)).then_with(|| a.json.cmp(&b.json)));
    let mut pairs = keys.windows(2);
    pairs.find(|pair| written(out, pair[0], kind) == written(out, pair[1], kind)).map(|pair| pair[1].json)
}

#[cfg(test)]
mod tests;
