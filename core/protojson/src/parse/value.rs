//! One value of a field, and lists of them.

use super::error::{ParseErrorKind, Segment};
use super::message::takes_null;
use super::number::type_name;
use super::scan::{peek, token};
use super::{Failed, Parser, Step};
use crate::schema::{Field, Kind, MessageId, TagBytes};
use crate::wire::WireType;

impl<'a> Parser<'a> {
    /// Reads one value of a field's type and writes it behind `tag`; a scalar at its default only
    /// with `keep`.
    #[inline(always)]
    pub(super) fn singular(&mut self, field: &'a Field, tag: TagBytes, at: usize, keep: bool) -> Step {
        match field.kind {
            Kind::Message(id) => {
                if self.schema.message(field.message).message_set {
                    return self.message_set_item(field, id, at);
                }
                self.message_field(tag, id, at)
            }
            Kind::Group(id) => self.group_field(tag, id, at),
            Kind::String => self.string_field(tag, at, keep),
            Kind::Bytes => self.bytes_field(tag, at, keep),
            Kind::Bool => self.bool_field(tag, at, keep),
            Kind::Enum(id) => self.enum_field(id, tag, at, keep),
            Kind::Double => self.double_field(tag, at, keep),
            Kind::Float => self.float_field(tag, at, keep),
            kind => self.integer_field(kind, tag, at, keep),
        }
    }

    /// Reads a message and writes it behind tag and length.
    #[inline]
    pub(super) fn message_field(&mut self, tag: TagBytes, id: MessageId, at: usize) -> Step {
        self.out.tag(tag)?;
        self.prefixed(|parser| parser.message_value(id, at))
    }

    /// Reads a message and writes it between its start and end tags.
    #[cold]
    fn group_field(&mut self, tag: TagBytes, id: MessageId, at: usize) -> Step {
        self.out.tag(tag)?;
        let end = self.message_value(id, at)?;
        self.out.tag(tag.with_wire_type(WireType::EndGroup))?;
        Ok(end)
    }

    /// Writes a length and then what `payload` writes.
    #[inline]
    pub(super) fn prefixed(&mut self, payload: impl FnOnce(&mut Self) -> Step) -> Step {
        // Neighbours are of like size.
        let level = self.depth as usize & 63;
        let width = self.widths.get(level).copied().unwrap_or(1);
        let mark = self.out.open(width)?;
        let end = payload(self)?;
        let width = self.out.close(mark)?;
        if let Some(last) = self.widths.get_mut(level) {
            *last = width;
        }
        Ok(end)
    }

    /// An extension of a message set: a group of type id (the field's number) and message.
    ///
    /// Source: <https://protobuf.dev/programming-guides/encoding/>, and `MessageSet` in
    /// protobuf's `wire_format.h`.
    #[cold]
    fn message_set_item(&mut self, field: &'a Field, id: MessageId, at: usize) -> Step {
        self.out.tag(TagBytes::short(1, WireType::StartGroup))?;
        self.out.varint(TagBytes::short(2, WireType::Varint), field.number.into())?;
        let end = self.message_field(TagBytes::short(3, WireType::Len), id, at)?;
        self.out.tag(TagBytes::short(1, WireType::EndGroup))?;
        Ok(end)
    }

    /// Reads an array as the values of a repeated field.
    pub(super) fn list(&mut self, field: &'a Field, at: usize) -> Step {
        if peek(self.json, at) != b'[' {
            return Err(self.no_list(field, at));
        }
        if !field.packed {
            return self.elements(field, field.tag, at + 1, 0);
        }
        let before = self.out.position();
        self.out.tag(field.tag.with_wire_type(WireType::Len))?;
        let mark = self.out.open(1)?;
        let (next, count) = match field.kind {
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64 => {
                self.plain_integers(field.kind, at + 1)?
            }
            _ => (at + 1, 0),
        };
        let end = self.elements(field, TagBytes::NONE, next, count)?;
        if self.out.position() == mark.payload() {
            self.out.rewind(before);
        } else {
            self.out.close(mark)?;
        }
        Ok(end)
    }

    /// Reads elements from `at`, where the one with that `index` may stand, to the closing bracket.
    #[inline]
    fn elements(&mut self, field: &'a Field, tag: TagBytes, at: usize, index: usize) -> Step {
        match field.kind {
            Kind::String => self.each_element(field, tag, at, index, |parser, at| parser.string_value(tag, at, true)),
            _ => self.each_element(field, tag, at, index, |parser, at| parser.singular(field, tag, at, true)),
        }
    }

    /// As [`elements`](Self::elements); `element` reads one that is not `null`.
    #[inline(never)]
    fn each_element(
        &mut self,
        field: &'a Field,
        tag: TagBytes,
        at: usize,
        mut index: usize,
        element: impl Fn(&mut Self, usize) -> Step,
    ) -> Step {
        let json = self.json;
        let (mut at, byte) = token(json, at);
        if byte == b']' && index == 0 {
            return Ok(at + 1);
        }
        loop {
            let value = if peek(json, at) == b'n' { self.null_element(field, tag, at) } else { element(self, at) };
            at = match value {
                Ok(end) => end,
                Err(Failed) => return Err(self.unwind(at, Segment::Index(index))),
            };
            index += 1;
            let (comma, byte) = token(json, at);
            if byte != b',' {
                if byte != b']' {
                    return Err(self.syntax(comma, "`,` or `]`"));
                }
                return Ok(comma + 1);
            }
            (at, _) = token(json, comma + 1);
        }
    }

    /// The element or map value `null`.
    #[inline(never)]
    pub(super) fn null_element(&mut self, field: &'a Field, tag: TagBytes, at: usize) -> Step {
        if takes_null(self.schema, field.kind) {
            return self.singular(field, tag, at, true);
        }
        if self.word(at, b"null").is_some() {
            return Err(self.fail(at, ParseErrorKind::NullElement));
        }
        Err(self.syntax(at, "a value"))
    }

    #[cold]
    fn no_list(&mut self, field: &Field, at: usize) -> Failed {
        let expected = match field.kind {
            Kind::Message(id) | Kind::Group(id) => format!("array of {}", self.schema.message(id).full_name),
            Kind::Enum(id) => format!("array of {}", self.schema.enumeration(id).full_name),
            kind => format!("array of {}", type_name(kind)),
        };
        self.mismatch(at, &expected)
    }
}
