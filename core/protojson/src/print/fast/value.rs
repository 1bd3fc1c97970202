//! The values of a field.

use super::{Fast, Pass, Rest, Unusual};
use crate::MessageId;
use crate::print::number;
use crate::print::scalar::PrintScalar;
use crate::print::text;
use crate::scalar::{Scalar, with_scalar};
use crate::schema::{Cardinality, EnumId, Field, Kind, Presence};
use crate::take;

impl Fast<'_> {
    /// Writes name and value of a singular field, or nothing if that is at its default and does not
    /// tell the difference. The tag was read.
    #[inline(always)]
    pub(in crate::print) fn singular<'a>(&mut self, field: &Field, bytes: &'a [u8], depth: u32) -> Rest<'a> {
        let omit = field.presence == Presence::Implicit && !self.emit_defaults;
        with_scalar!(field.kind,
            S => {
                let (value, rest) = S::take(bytes)?;
                if !(omit && S::is_default(value)) {
                    self.key(field);
                    S::print(&mut self.out, value, self.bare);
                }
                Ok(rest)
            },
            enum id => {
                let (value, rest) = take::varint(bytes)?;
                if !(omit && value as i32 == 0) {
                    self.key(field);
                    self.enumeration(id, value as i32);
                }
                Ok(rest)
            },
            Kind::String => {
                let (text, rest) = take::len_prefixed(bytes)?;
                if !(omit && text.is_empty()) {
                    self.key(field);
                    text::string(&mut self.out, text)?;
                }
                Ok(rest)
            },
            Kind::Bytes => {
                let (value, rest) = take::len_prefixed(bytes)?;
                if !(omit && value.is_empty()) {
                    self.key(field);
                    text::base64(&mut self.out, value);
                }
                Ok(rest)
            },
            Kind::Message(id) => {
                self.key(field);
                let (content, rest) = take::len_prefixed(bytes)?;
                self.message(id, content, 0, depth)?;
                Ok(rest)
            },
            Kind::Group(id) => {
                self.key(field);
                self.message(id, bytes, field.number, depth)
            },
        )
    }

    /// Writes the value that comes next.
    pub(in crate::print) fn value<'a>(&mut self, field: &Field, bytes: &'a [u8], depth: u32) -> Rest<'a> {
        with_scalar!(field.kind,
            S => {
                let (value, rest) = S::take(bytes)?;
                S::print(&mut self.out, value, self.bare);
                Ok(rest)
            },
            enum id => {
                let (value, rest) = take::varint(bytes)?;
                self.enumeration(id, value as i32);
                Ok(rest)
            },
            Kind::String => {
                let (text, rest) = take::len_prefixed(bytes)?;
                text::string(&mut self.out, text)?;
                Ok(rest)
            },
            Kind::Bytes => {
                let (value, rest) = take::len_prefixed(bytes)?;
                text::base64(&mut self.out, value);
                Ok(rest)
            },
            Kind::Message(id) => {
                let (content, rest) = take::len_prefixed(bytes)?;
                self.message(id, content, 0, depth)?;
                Ok(rest)
            },
            Kind::Group(id) => self.message(id, bytes, field.number, depth),
        )
    }

    /// Writes elements of a list or entries of a map, each behind a comma, for as long as the same
    /// tag follows. The first tag was read.
    #[inline(never)]
    pub(in crate::print) fn elements<'a>(
        &mut self,
        field: &Field,
        packed: bool,
        bytes: &'a [u8],
        depth: u32,
    ) -> Rest<'a> {
        if field.cardinality == Cardinality::Map {
            return self.entries(field, bytes, depth);
        }
        if packed {
            let (values, rest) = take::len_prefixed(bytes)?;
            return self.packed(field, values).map(|()| rest);
        }
        match field.kind {
            Kind::String => self.strings(field, bytes),
            Kind::Message(id) if !self.schema.message(id).well_known.is_special() => {
                self.objects(field, id, bytes, depth)
            }
            _ => self.others(field, bytes, depth),
        }
    }

    fn strings<'a>(&mut self, field: &Field, mut bytes: &'a [u8]) -> Rest<'a> {
        loop {
            let (text, rest) = take::len_prefixed(bytes)?;
            self.out.byte(b',');
            text::string(&mut self.out, text)?;
            match take::same_tag(rest, &field.tag) {
                Some(next) => bytes = next,
                None => return Ok(rest),
            }
        }
    }

    fn objects<'a>(&mut self, field: &Field, id: MessageId, mut bytes: &'a [u8], depth: u32) -> Rest<'a> {
        let message = self.schema.message(id);
        loop {
            let (content, rest) = take::len_prefixed(bytes)?;
            self.out.byte(b',');
            self.object(message, content, 0, depth)?;
            match take::same_tag(rest, &field.tag) {
                Some(next) => bytes = next,
                None => return Ok(rest),
            }
        }
    }

    fn others<'a>(&mut self, field: &Field, mut bytes: &'a [u8], depth: u32) -> Rest<'a> {
        loop {
            let rest = if field.closed_enum && self.is_unknown_enum(field, bytes)? {
                take::skip(bytes, field.raw_tag)?
            } else {
                self.out.byte(b',');
                self.value(field, bytes, depth)?
            };
            match take::same_tag(rest, &field.tag) {
                Some(next) => bytes = next,
                None => return Ok(rest),
            }
        }
    }

    /// Writes the elements of one packed record, each behind a comma.
    pub(in crate::print) fn packed(&mut self, field: &Field, mut bytes: &[u8]) -> Pass {
        with_scalar!(field.kind,
            S => while !bytes.is_empty() {
                let (value, rest) = S::take(bytes)?;
                self.out.byte(b',');
                S::print(&mut self.out, value, self.bare);
                bytes = rest;
            },
            enum id => {
                while !bytes.is_empty() {
                    let (value, rest) = take::varint(bytes)?;
                    if !field.closed_enum || self.schema.enumeration(id).name(value as i32).is_some() {
                        self.out.byte(b',');
                        self.enumeration(id, value as i32);
                    }
                    bytes = rest;
                }
            },
            // Only numbers are packed.
            _ => return Err(Unusual::Order),
        );
        Ok(())
    }

    /// Writes an enum value: its name, or the number if the enum has no such value.
    #[inline]
    pub(in crate::print) fn enumeration(&mut self, id: EnumId, value: i32) {
        let enumeration = self.schema.enumeration(id);
        if enumeration.null_value {
            self.out.block(b"null", 4);
            return;
        }
        match enumeration.name(value) {
            Some(name) if !self.options.enum_numbers => text::quoted(&mut self.out, name.as_bytes()),
            _ => number::signed(&mut self.out, i64::from(value)),
        }
    }

    /// Writes the value of a field that is not set.
    pub(in crate::print) fn default_value(&mut self, field: &Field) {
        let text: &[u8] = match (field.cardinality, field.kind) {
            (Cardinality::Repeated, _) => b"[]",
            (Cardinality::Map, _) => b"{}",
            (Cardinality::Singular, Kind::Enum(id)) => {
                return self.enumeration(id, self.schema.enumeration(id).default);
            }
            (Cardinality::Singular, Kind::String | Kind::Bytes) => b"\"\"",
            (Cardinality::Singular, Kind::Bool) => b"false",
            (Cardinality::Singular, Kind::Message(_) | Kind::Group(_)) => b"null",
            (Cardinality::Singular, Kind::Int64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64 | Kind::Sint64)
                if !self.bare =>
            {
                b"\"0\""
            }
            (Cardinality::Singular, _) => b"0",
        };
        self.out.slice(text);
    }
}
