//! The text of path variables and query parameters.

use super::error::{ParseErrorKind, nearest, quote};
use super::number::type_name;
use super::scalar::{BadNumber, bad_number, enum_text, float_text, integer_text, unknown_enum_value};
use super::well_known::text_form;
use super::{Failed, Parser};
use crate::schema::{Field, Kind, TagBytes, WellKnown};
use crate::wire::WireType;
use crate::{FieldId, ParseOptions, Schema, UnknownFields};

/// Translates the text of a path variable or query parameter into one value of `field`, appended to
/// `out` with its tag (the value of one element for a repeated field). Scalars, enums, wrappers,
/// `Timestamp`, `Duration` and `FieldMask` have a text form; other messages have none.
///
/// The text of a string is the string; all else reads as the content of a JSON string would, save
/// that a `FieldMask` may have proto names and `*` in it. The value is written even where it is the
/// default, so that it overrides one in front of it.
///
/// # Errors
/// [`ParseErrorKind`]; `out` then has the length that it had before.
pub fn text_to_field(
    schema: &Schema,
    field: FieldId,
    text: &str,
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<(), ParseErrorKind> {
    let field = schema.field(field);
    let mut parser = Parser::new(schema, text.as_bytes(), options, std::mem::take(out));
    let done = parser.parameter(field, text.as_bytes());
    if done.is_ok() && !parser.out.is_over() {
        *out = parser.out.finish();
        Ok(())
    } else {
        let error = parser.error();
        *out = parser.out.discard();
        Err(error.kind)
    }
}

impl<'a> Parser<'a> {
    fn parameter(&mut self, field: &'a Field, text: &[u8]) -> Result<(), Failed> {
        let id = match field.kind {
            Kind::Message(id) | Kind::Group(id) => id,
            kind => return self.scalar_text(kind, field.tag, text),
        };
        let message = self.schema.message(id);
        match message.well_known {
            which @ (WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask) => {
                self.within(field, |parser| match parser.text_message(which, text, true, 0) {
                    Ok(()) => Ok(()),
                    Err(Failed) => Err(parser.malformed_text(text_form(which), text)),
                })
            }
            WellKnown::Wrapper => {
                let Some(value) = self.schema.field_by_number(id, 1) else {
                    return Err(self.no_text_form(field));
                };
                let value = self.schema.field(value);
                self.within(field, |parser| parser.scalar_text(value.kind, value.tag, text))
            }
            _ => Err(self.no_text_form(field)),
        }
    }

    /// Writes the fields of a message between the brackets of its field.
    fn within(&mut self, field: &Field, fields: impl FnOnce(&mut Self) -> Result<(), Failed>) -> Result<(), Failed> {
        self.out.tag(field.tag)?;
        if matches!(field.kind, Kind::Group(_)) {
            fields(self)?;
            return self.out.tag(field.tag.with_wire_type(WireType::EndGroup));
        }
        let mark = self.out.open(1)?;
        fields(self)?;
        self.out.close(mark).map(drop)
    }

    fn scalar_text(&mut self, kind: Kind, tag: TagBytes, text: &[u8]) -> Result<(), Failed> {
        match kind {
            Kind::String => self.out.len_prefixed(tag, text),
            Kind::Bytes => self.base64(tag, text, 0, true),
            Kind::Bool if text == b"true" || text == b"false" => self.out.varint(tag, (text == b"true").into()),
            Kind::Bool => Err(self.bad_text(BadNumber::Other, kind, text)),
            Kind::Double => match float_text::<f64>(text) {
                Ok(value) => self.out.fixed64(tag, value.to_bits()),
                Err(error) => Err(self.bad_text(error, kind, text)),
            },
            Kind::Float => match float_text::<f32>(text) {
                Ok(value) => self.out.fixed32(tag, value.to_bits()),
                Err(error) => Err(self.bad_text(error, kind, text)),
            },
            Kind::Enum(id) => {
                let enumeration = self.schema.enumeration(id);
                match enum_text(enumeration, text) {
                    Some(value) => self.out.varint(tag, i64::from(value).cast_unsigned()),
                    None if self.options.unknown_fields == UnknownFields::Ignore => Ok(()),
                    None => {
                        let suggestion = nearest(&String::from_utf8_lossy(text), enumeration.names());
                        Err(self.fail(0, unknown_enum_value(enumeration, quote(text), suggestion)))
                    }
                }
            }
            kind => match (integer_text(kind, text), kind.wire_type()) {
                (Ok(wire), WireType::Fixed32) => self.out.fixed32(tag, wire as u32),
                (Ok(wire), WireType::Fixed64) => self.out.fixed64(tag, wire),
                (Ok(wire), _) => self.out.varint(tag, wire),
                (Err(error), _) => Err(self.bad_text(error, kind, text)),
            },
        }
    }

    #[cold]
    fn bad_text(&mut self, error: BadNumber, kind: Kind, text: &[u8]) -> Failed {
        self.fail(0, bad_number(error, type_name(kind), quote(text)))
    }

    #[cold]
    fn malformed_text(&mut self, expected: &'static str, text: &[u8]) -> Failed {
        // A failure without an error is one of size: it stays.
        if self.error.is_none() {
            return Failed;
        }
        self.fail(0, ParseErrorKind::Malformed { expected, found: quote(text) })
    }

    #[cold]
    fn no_text_form(&mut self, field: &Field) -> Failed {
        let name = match field.kind {
            Kind::Message(id) | Kind::Group(id) => self.schema.message(id).full_name.to_string(),
            _ => String::new(),
        };
        self.fail(0, ParseErrorKind::NoTextForm(name))
    }
}
