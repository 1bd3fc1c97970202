//! Wire → canonical wire.

mod output;

use crate::index::{Index, Source, UNKNOWN};
use crate::scalar::{Scalar, with_scalar};
use crate::schema::{Cardinality, Enum, Field, Kind, Message, Presence};
use crate::take;
use crate::wire::{Reader, WireError, WireType};
use crate::{MessageId, Schema};
use output::Output;
use std::ops::Range;

/// Why wire bytes are no message of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReencodeError {
    /// The bytes are no protobuf message, or nested deeper than a hundred messages.
    #[error("{0}")]
    Malformed(WireError),
    /// A string that must be UTF-8 is not.
    #[error("string {field} is not UTF-8")]
    NotUtf8 {
        /// The field's proto name.
        field: Box<str>,
    },
    /// The schema declares a map entry in another form than protobuf does.
    #[error("the schema declares a type of protobuf's own in another form")]
    UnexpectedDescriptor,
}

/// The deepest nesting of messages, the root included, as protobuf's own parsers have it.
const MAX_DEPTH: u32 = 100;

/// Decodes wire bytes of `message` and writes them again in canonical form, appended to `out`:
/// fields ascending by number, split messages merged, of repeated singular scalars the last,
/// of a oneof the last member, lists packed or not as the schema says, map keys unique, fields
/// without presence left out at their default, unknown fields kept at the end.
///
/// Required fields may be missing. Numbers that a closed enum does not have are unknown fields.
///
/// # Errors
/// [`ReencodeError`]; `out` then has the length that it had before.
///
/// # Bounds
/// Two passes over `wire` and one over the output; 20 bytes of memory for every field.
pub fn reencode(schema: &Schema, message: MessageId, wire: &[u8], out: &mut Vec<u8>) -> Result<(), ReencodeError> {
    let index = Index::new(schema, wire, MAX_DEPTH)?;
    let mut encoder = Encoder { schema, index, out: Output::new(std::mem::take(out)) };
    let result = encoder.message(message, Source::Bytes(0..wire.len()), MAX_DEPTH);
    *out = encoder.out.finish(result.is_ok());
    result
}

type Encode<T = ()> = Result<T, ReencodeError>;

struct Encoder<'a> {
    schema: &'a Schema,
    index: Index<'a>,
    out: Output,
}

// === impl Encoder ===

impl<'a> Encoder<'a> {
    fn message(&mut self, id: MessageId, source: Source, depth: u32) -> Encode {
        let depth = depth.checked_sub(1).ok_or(WireError::TooDeep)?;
        let message = self.schema.message(id);
        let level = self.index.open(id, source)?;
        let mut place = level.first();
        while let Some((number, places)) = self.index.run(&level, place) {
            place = places.end;
            if number == UNKNOWN {
                for place in places {
                    self.unknown(message, place)?;
                }
            } else if let Some(id) = message.field_by_number(number) {
                self.field(message, self.schema.field(id), places, depth)?;
            }
        }
        self.index.close(&level);
        Ok(())
    }

    fn field(&mut self, message: &Message, field: &'a Field, mut places: Range<usize>, depth: u32) -> Encode {
        match (field.cardinality, field.kind) {
            (Cardinality::Map, _) => self.map(field, places, depth),
            (Cardinality::Repeated, Kind::Message(_) | Kind::Group(_)) => {
                for place in places {
                    self.submessage(message, field, place..place + 1, depth)?;
                }
                Ok(())
            }
            (Cardinality::Repeated, Kind::String | Kind::Bytes) => {
                for place in places {
                    self.bytes(field, place)?;
                }
                Ok(())
            }
            (Cardinality::Repeated, _) => self.list(field, places),
            (Cardinality::Singular, Kind::Message(_) | Kind::Group(_)) => {
                self.submessage(message, field, places, depth)
            }
            (Cardinality::Singular, _) => {
                let Some(place) = places.next_back() else { return Ok(()) };
                if field.presence == Presence::Implicit && self.is_default(field, place)? {
                    return Ok(());
                }
                self.single(field, place)
            }
        }
    }

    /// Writes the message that the records at some places make.
    fn submessage(&mut self, holder: &Message, field: &Field, places: Range<usize>, depth: u32) -> Encode {
        match field.kind {
            Kind::Group(id) => {
                self.out.tag(field.number, WireType::StartGroup);
                self.message(id, Source::Values(places), depth)?;
                self.out.tag(field.number, WireType::EndGroup);
            }
            Kind::Message(id) if holder.message_set => {
                self.out.tag(1, WireType::StartGroup);
                self.out.tag(2, WireType::Varint);
                self.out.varint(u64::from(field.number));
                self.out.tag(3, WireType::Len);
                let content = self.out.begin();
                self.message(id, Source::Values(places), depth)?;
                self.out.end(content);
                self.out.tag(1, WireType::EndGroup);
            }
            Kind::Message(id) => {
                self.out.tag(field.number, WireType::Len);
                let content = self.out.begin();
                self.message(id, Source::Values(places), depth)?;
                self.out.end(content);
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes one scalar, string or bytes with its tag.
    fn single(&mut self, field: &Field, place: usize) -> Encode {
        let value = self.index.value(place);
        with_scalar!(field.kind,
            S => {
                self.out.tag(field.number, field.kind.wire_type());
                S::put(&mut self.out.bytes, S::take(value)?.0);
            },
            enum _ => {
                self.out.tag(field.number, WireType::Varint);
                self.out.number(take::varint(value)?.0 as i32);
            },
            _ => return self.bytes(field, place),
        );
        Ok(())
    }

    fn bytes(&mut self, field: &Field, place: usize) -> Encode {
        let bytes = self.index.len_prefixed(place)?;
        if field.kind == Kind::String && field.verify_utf8 && std::str::from_utf8(bytes).is_err() {
            return Err(ReencodeError::NotUtf8 { field: field.name.clone() });
        }
        self.out.tag(field.number, WireType::Len);
        self.out.len_prefixed(bytes);
        Ok(())
    }

    fn is_default(&self, field: &Field, place: usize) -> Encode<bool> {
        let value = self.index.value(place);
        with_scalar!(field.kind,
            S => Ok(S::is_default(S::take(value)?.0)),
            enum _ => Ok(take::varint(value)?.0 as i32 == 0),
            _ => Ok(take::len_prefixed(value)?.0.is_empty()),
        )
    }

    /// Writes a list of numbers as the schema wants it, however it came.
    fn list(&mut self, field: &Field, places: Range<usize>) -> Encode {
        let before = self.out.bytes.len();
        let content = field.packed.then(|| {
            self.out.tag(field.number, WireType::Len);
            self.out.begin()
        });
        let start = self.out.bytes.len();
        for place in places {
            if self.index.tag(place).1 == WireType::Len {
                let mut values = self.index.len_prefixed(place)?;
                while !values.is_empty() {
                    values = self.element(field, values)?;
                }
            } else {
                self.element(field, self.index.value(place))?;
            }
        }
        if let Some(content) = content {
            if self.out.bytes.len() == start {
                self.out.cancel(content, before);
            } else {
                self.out.end(content);
            }
        }
        Ok(())
    }

    /// Writes one number of a list; what is behind it.
    fn element<'b>(&mut self, field: &Field, bytes: &'b [u8]) -> Encode<&'b [u8]> {
        let tag = (!field.packed).then(|| field.kind.wire_type());
        with_scalar!(field.kind,
            S => {
                let (value, rest) = S::take(bytes)?;
                if let Some(wire_type) = tag {
                    self.out.tag(field.number, wire_type);
                }
                S::put(&mut self.out.bytes, value);
                Ok(rest)
            },
            enum id => {
                let (value, rest) = take::varint(bytes)?;
                if has(self.schema.enumeration(id), value as i32) {
                    if let Some(wire_type) = tag {
                        self.out.tag(field.number, wire_type);
                    }
                    self.out.number(value as i32);
                }
                Ok(rest)
            },
            _ => Ok(&[]),
        )
    }

    fn map(&mut self, field: &'a Field, places: Range<usize>, depth: u32) -> Encode {
        let (Kind::Message(id), Some((key, value))) = (field.kind, self.schema.map_entry(field)) else {
            return Err(ReencodeError::UnexpectedDescriptor);
        };
        for place in self.index.last_entries(id, key, &places)? {
            let level = self.index.open(id, Source::Values(place..place + 1))?;
            self.out.tag(field.number, WireType::Len);
            let entry = self.out.begin();
            match self.index.last(&level, key.number) {
                Some(place) => self.single(key, place)?,
                None => self.default(key),
            }
            let places = self.index.places(&level, value.number);
            match (value.kind, places.clone().next_back()) {
                (Kind::Message(_) | Kind::Group(_), _) => {
                    self.submessage(self.schema.message(id), value, places, depth)?;
                }
                (_, Some(last)) => self.single(value, last)?,
                (_, None) => self.default(value),
            }
            self.out.end(entry);
            self.index.close(&level);
        }
        Ok(())
    }

    /// Writes key or value of an entry that came without.
    fn default(&mut self, field: &Field) {
        self.out.tag(field.number, field.kind.wire_type());
        with_scalar!(field.kind,
            S => S::put(&mut self.out.bytes, Default::default()),
            enum id => self.out.number(self.schema.enumeration(id).default),
            _ => self.out.varint(0),
        );
    }

    /// Writes a record that no field of the schema takes, as it came.
    fn unknown(&mut self, message: &Message, place: usize) -> Encode {
        let (number, wire_type) = self.index.tag(place);
        let mut reader = Reader::new(self.index.value(place));
        let field = message.field_by_number(number).map(|id| self.schema.field(id));
        if wire_type == WireType::Len
            && let Some(field) = field.filter(|field| field.is_packable())
            && let Kind::Enum(id) = field.kind
        {
            let mut values = Reader::new(reader.len_prefixed()?);
            while !values.is_empty() {
                let value = values.varint()? as i32;
                if !has(self.schema.enumeration(id), value) {
                    self.out.tag(number, WireType::Varint);
                    self.out.number(value);
                }
            }
            return Ok(());
        }
        self.out.tag(number, wire_type);
        match wire_type {
            WireType::Varint => self.out.varint(reader.varint()?),
            WireType::Fixed64 => self.out.bytes.extend_from_slice(&reader.fixed64()?.to_le_bytes()),
            WireType::Fixed32 => self.out.bytes.extend_from_slice(&reader.fixed32()?.to_le_bytes()),
            WireType::Len => self.out.len_prefixed(reader.len_prefixed()?),
            WireType::StartGroup => {
                self.out.bytes.extend_from_slice(reader.group(number, MAX_DEPTH)?);
                self.out.tag(number, WireType::EndGroup);
            }
            WireType::EndGroup => {}
        }
        Ok(())
    }
}

fn has(enumeration: &Enum, number: i32) -> bool {
    !enumeration.closed || enumeration.name(number).is_some()
}

impl From<WireError> for ReencodeError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}
