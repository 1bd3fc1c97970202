//! Messages with a JSON form of their own.

use super::{Fast, Pass, Rest, Unusual};
use crate::MessageId;
use crate::print::{mask, number, text, time};
use crate::schema::{Field, Kind, Message, WellKnown};
use crate::take;
use crate::wire::WireError;

/// Tags of the fields that protobuf's own types have.
const FIRST_VARINT: u32 = 1 << 3;
const SECOND_VARINT: u32 = 2 << 3;
const FIRST_LEN: u32 = 1 << 3 | 2;
const SECOND_LEN: u32 = 2 << 3 | 2;

impl<'p> Fast<'p> {
    #[inline(never)]
    pub(super) fn well_known(&mut self, message: &'p Message, bytes: &[u8], group: u32, depth: u32) -> Pass {
        if group != 0 {
            return Err(Unusual::Order);
        }
        match message.well_known {
            WellKnown::Timestamp => {
                let (seconds, nanos) = seconds_and_nanos(bytes)?;
                time::timestamp(&mut self.out, seconds, nanos)?;
            }
            WellKnown::Duration => {
                let (seconds, nanos) = seconds_and_nanos(bytes)?;
                time::duration(&mut self.out, seconds, nanos)?;
            }
            WellKnown::FieldMask => self.field_mask(bytes)?,
            WellKnown::Wrapper => self.wrapper(message, bytes)?,
            WellKnown::Struct => self.structure(message, bytes, deeper(depth)?)?,
            WellKnown::ListValue => self.list_value(message, bytes, deeper(depth)?)?,
            WellKnown::Value => self.dynamic_value(message, bytes, depth)?,
            WellKnown::Any => self.any(bytes, depth)?,
            WellKnown::Empty | WellKnown::None => return Err(Unusual::Order),
        }
        Ok(())
    }

    fn field_mask(&mut self, mut bytes: &[u8]) -> Pass {
        let start = self.out.position();
        while !bytes.is_empty() {
            let (tag, rest) = take::tag(bytes)?;
            if tag == FIRST_LEN {
                let (path, rest) = take::len_prefixed(rest)?;
                self.out.byte(b',');
                mask::path(&mut self.out, path)?;
                bytes = rest;
            } else {
                bytes = take::skip(rest, tag)?;
            }
        }
        self.out.close(start, b'"', b'"');
        Ok(())
    }

    fn wrapper(&mut self, message: &'p Message, bytes: &[u8]) -> Pass {
        let value = self.value_of(message)?;
        let rest = match take::same_tag(bytes, &value.tag) {
            // A scalar, whatever the depth.
            Some(rest) => self.value(value, rest, 0)?,
            None => {
                self.default_value(value);
                bytes
            }
        };
        nothing_behind(rest)
    }

    fn structure(&mut self, message: &'p Message, bytes: &[u8], depth: u32) -> Pass {
        let entries = self.value_of(message)?;
        let (start, keys) = (self.out.position(), self.keys.len());
        let rest = match take::same_tag(bytes, &entries.tag) {
            Some(rest) => self.entries(entries, rest, depth)?,
            None => bytes,
        };
        self.check_unique(keys)?;
        self.out.close(start, b'{', b'}');
        nothing_behind(rest)
    }

    fn list_value(&mut self, message: &'p Message, bytes: &[u8], depth: u32) -> Pass {
        let values = self.value_of(message)?;
        let start = self.out.position();
        let rest = match take::same_tag(bytes, &values.tag) {
            Some(rest) => self.elements(values, false, rest, depth)?,
            None => bytes,
        };
        self.out.close(start, b'[', b']');
        nothing_behind(rest)
    }

    /// A `google.protobuf.Value` of just one record.
    fn dynamic_value(&mut self, message: &'p Message, bytes: &[u8], depth: u32) -> Pass {
        let (tag, rest) = take::tag(bytes)?;
        let field = message.field_by_number(tag >> 3).map(|id| self.schema.field(id)).ok_or(Unusual::Order)?;
        if field.raw_tag != tag {
            return Err(Unusual::Order);
        }
        let rest = self.dynamic_field(field, rest, depth)?;
        nothing_behind(rest)
    }

    /// Writes the member of a `google.protobuf.Value`'s oneof that is set.
    pub(in crate::print) fn dynamic_field<'a>(&mut self, field: &Field, bytes: &'a [u8], depth: u32) -> Rest<'a> {
        if field.kind == Kind::Double {
            let (bits, rest) = take::fixed64(bytes)?;
            let value = f64::from_bits(bits);
            if !value.is_finite() {
                return Err(Unusual::NotFinite);
            }
            number::double(&mut self.out, value);
            return Ok(rest);
        }
        // The schema decides what a Value holds; another Value would nest without being counted.
        if let Kind::Message(id) = field.kind
            && !matches!(self.schema.message(id).well_known, WellKnown::Struct | WellKnown::ListValue)
        {
            return Err(Unusual::Order);
        }
        self.value(field, bytes, depth)
    }

    fn any(&mut self, mut bytes: &[u8], depth: u32) -> Pass {
        let inner = deeper(depth)?;
        let (mut type_url, mut value): (&[u8], &[u8]) = (&[], &[]);
        while !bytes.is_empty() {
            let (tag, rest) = take::tag(bytes)?;
            match tag {
                FIRST_LEN => (type_url, bytes) = take::len_prefixed(rest)?,
                SECOND_LEN => (value, bytes) = take::len_prefixed(rest)?,
                _ => bytes = take::skip(rest, tag)?,
            }
        }
        if type_url.is_empty() && value.is_empty() {
            self.out.block(b"{}", 2);
            return Ok(());
        }
        let start = self.out.position();
        self.type_url(type_url)?;
        match self.schema.resolve_type_url(type_url) {
            Some(id) => self.any_content(id, value, depth, inner)?,
            None if self.options.opaque_any => self.opaque(value),
            None => return Err(Unusual::Order),
        }
        self.out.close(start, b'{', b'}');
        Ok(())
    }

    /// Writes `"@type"` and its value behind a comma.
    pub(in crate::print) fn type_url(&mut self, type_url: &[u8]) -> Pass {
        self.out.block(b",\"@type\":", 9);
        text::string(&mut self.out, type_url)?;
        Ok(())
    }

    /// Writes the value of an `Any` that nothing is known about.
    pub(in crate::print) fn opaque(&mut self, value: &[u8]) {
        self.out.block(b",\"value\":", 9);
        text::base64(&mut self.out, value);
    }

    /// Fields stand in the `Any`'s own object, anything else one level below.
    fn any_content(&mut self, id: MessageId, value: &[u8], depth: u32, inner: u32) -> Pass {
        let message = self.schema.message(id);
        if message.well_known.is_special() {
            self.out.block(b",\"value\":", 9);
            self.message(id, value, 0, inner)?;
        } else {
            self.fields(message, value, 0, depth)?;
        }
        Ok(())
    }

    /// Field 1 of a message that must have just that.
    fn value_of(&self, message: &Message) -> Pass<&'p Field> {
        message.field_by_number(1).map(|id| self.schema.field(id)).ok_or(Unusual::Order)
    }
}

/// One level down. Leaves (and `Value`, which is what it holds) are no level of their own.
#[inline]
fn deeper(depth: u32) -> Pass<u32> {
    depth.checked_sub(1).ok_or(Unusual::TooDeep)
}

fn nothing_behind(rest: &[u8]) -> Pass {
    if rest.is_empty() { Ok(()) } else { Err(Unusual::Order) }
}

/// The two fields of `Timestamp` and `Duration`; of each the last one counts.
fn seconds_and_nanos(mut bytes: &[u8]) -> Result<(i64, i32), WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    while !bytes.is_empty() {
        let (tag, rest) = take::tag(bytes)?;
        match tag {
            FIRST_VARINT => {
                let (value, rest) = take::varint(rest)?;
                (seconds, bytes) = (value.cast_signed(), rest);
            }
            SECOND_VARINT => {
                let (value, rest) = take::varint(rest)?;
                (nanos, bytes) = (value as i32, rest);
            }
            _ => bytes = take::skip(rest, tag)?,
        }
    }
    Ok((seconds, nanos))
}
