//! Messages with a JSON form of their own.
//!
//! The field numbers are those of protobuf's own `.proto` files; they are part of the wire format
//! and cannot change.

use super::error::{ParseErrorKind, Segment, describe};
use super::map::MapValue;
use super::scan::{peek, token};
use super::string::Text;
use super::{Failed, Parser, Step};
use crate::schema::{Kind, MessageId, TagBytes, WellKnown};
use crate::wire::WireType;
use crate::wkt::{mask, time};

const FIRST_LEN: TagBytes = TagBytes::short(1, WireType::Len);
const SECONDS: TagBytes = TagBytes::short(1, WireType::Varint);
const NANOS: TagBytes = TagBytes::short(2, WireType::Varint);
const ENTRY_VALUE: TagBytes = TagBytes::short(2, WireType::Len);

/// The members of the oneof in `google.protobuf.Value`.
const NULL: TagBytes = TagBytes::short(1, WireType::Varint);
const NUMBER: TagBytes = TagBytes::short(2, WireType::Fixed64);
const STRING: TagBytes = TagBytes::short(3, WireType::Len);
const BOOL: TagBytes = TagBytes::short(4, WireType::Varint);
const STRUCT: TagBytes = TagBytes::short(5, WireType::Len);
const LIST: TagBytes = TagBytes::short(6, WireType::Len);

impl Parser<'_> {
    /// Reads the JSON form of a message, whatever it is, and writes its fields.
    #[inline]
    pub(super) fn message_value(&mut self, id: MessageId, at: usize) -> Step {
        match self.schema.message(id).well_known {
            WellKnown::None | WellKnown::Empty => self.object(id, at),
            other => self.well_known(other, id, at),
        }
    }

    #[inline(never)]
    fn well_known(&mut self, which: WellKnown, id: MessageId, at: usize) -> Step {
        match which {
            WellKnown::None | WellKnown::Empty => self.object(id, at),
            WellKnown::Any => self.any(at),
            WellKnown::Struct => self.structure(at),
            WellKnown::Value => self.dynamic_value(at),
            WellKnown::ListValue => self.list_value(at),
            WellKnown::Wrapper => {
                let schema = self.schema;
                match schema.field_by_number(id, 1) {
                    Some(value) => {
                        let value = schema.field(value);
                        self.singular(value, value.tag, at, false)
                    }
                    None => self.object(id, at),
                }
            }
            WellKnown::Timestamp | WellKnown::Duration | WellKnown::FieldMask => {
                if peek(self.json, at) != b'"' {
                    return Err(self.mismatch(at, text_form(which)));
                }
                let (text, end) = self.string(at)?;
                let bytes = match text {
                    Text::Plain(raw) => raw,
                    Text::Scratch => &std::mem::take(&mut self.scratch),
                };
                self.text_message(which, bytes, false, at)?;
                Ok(end)
            }
        }
    }

    /// Writes the fields of a message that is one text; `at` is for an error. A parameter's text
    /// is `lenient`: masks may have proto names and `*` in it.
    pub(super) fn text_message(
        &mut self,
        which: WellKnown,
        text: &[u8],
        lenient: bool,
        at: usize,
    ) -> Result<(), Failed> {
        let moment = match which {
            WellKnown::Timestamp => time::timestamp(text),
            WellKnown::Duration => time::duration(text),
            _ => return self.field_mask(text, lenient, at),
        };
        let Some((seconds, nanos)) = moment else {
            return Err(self.malformed(which, at));
        };
        if seconds != 0 {
            self.out.varint(SECONDS, seconds.cast_unsigned())?;
        }
        if nanos != 0 {
            self.out.varint(NANOS, i64::from(nanos).cast_unsigned())?;
        }
        Ok(())
    }

    fn field_mask(&mut self, text: &[u8], lenient: bool, at: usize) -> Result<(), Failed> {
        if text.is_empty() {
            return Ok(());
        }
        for path in text.split(|&byte| byte == b',') {
            self.out.tag(FIRST_LEN)?;
            let mark = self.out.open(1)?;
            // What it needs and no more: the limit may be near.
            let capitals = path.iter().filter(|byte| byte.is_ascii_uppercase()).count();
            let room = self.out.room(path.len() + capitals)?;
            let Some(len) = mask::snake_case(path, lenient, room) else {
                return Err(self.malformed(WellKnown::FieldMask, at));
            };
            self.out.advance(len);
            self.out.close(mark)?;
        }
        Ok(())
    }

    #[cold]
    fn malformed(&mut self, which: WellKnown, at: usize) -> Failed {
        let found = describe(self.json, at);
        self.fail(at, ParseErrorKind::Malformed { expected: text_form(which), found })
    }

    fn structure(&mut self, at: usize) -> Step {
        if peek(self.json, at) != b'{' {
            return Err(self.mismatch(at, "object (google.protobuf.Struct)"));
        }
        self.enter(at)?;
        let end = self.entries(FIRST_LEN, Kind::String, MapValue::Value, at)?;
        self.leave();
        Ok(end)
    }

    fn list_value(&mut self, at: usize) -> Step {
        if peek(self.json, at) != b'[' {
            return Err(self.mismatch(at, "array (google.protobuf.ListValue)"));
        }
        self.enter(at)?;
        let end = self.dynamic_elements(at)?;
        self.leave();
        Ok(end)
    }

    fn dynamic_elements(&mut self, open: usize) -> Step {
        let json = self.json;
        let (mut at, byte) = token(json, open + 1);
        if byte == b']' {
            return Ok(at + 1);
        }
        let mut index = 0;
        loop {
            self.out.tag(FIRST_LEN)?;
            at = match self.prefixed(|parser| parser.dynamic_value(at)) {
                Ok(end) => end,
                Err(Failed) => return Err(self.unwind(at, Segment::Index(index))),
            };
            index += 1;
            let (comma, byte) = token(json, at);
            if byte == b']' {
                return Ok(comma + 1);
            }
            if byte != b',' {
                return Err(self.syntax(comma, "`,` or `]`"));
            }
            (at, _) = token(json, comma + 1);
        }
    }

    /// Reads the value of an entry of a `Struct`.
    pub(super) fn value_field(&mut self, at: usize) -> Step {
        self.out.tag(ENTRY_VALUE)?;
        self.prefixed(|parser| parser.dynamic_value(at))
    }

    /// Reads any JSON as a `google.protobuf.Value`.
    fn dynamic_value(&mut self, at: usize) -> Step {
        match peek(self.json, at) {
            b'"' => self.string_field(STRING, at, true),
            b'{' => {
                self.out.tag(STRUCT)?;
                self.prefixed(|parser| parser.structure(at))
            }
            b'[' => {
                self.out.tag(LIST)?;
                self.prefixed(|parser| parser.list_value(at))
            }
            b'-' | b'0'..=b'9' => {
                let (value, end) = self.double(at)?;
                self.out.fixed64(NUMBER, value.to_bits())?;
                Ok(end)
            }
            b'n' if self.word(at, b"null").is_some() => {
                self.out.varint(NULL, 0)?;
                Ok(at + 4)
            }
            b't' | b'f' => self.bool_field(BOOL, at, true),
            _ => Err(self.syntax(at, "a value")),
        }
    }
}

/// The name of a type that is one text, and what the text looks like.
pub(super) fn text_form(which: WellKnown) -> &'static str {
    match which {
        WellKnown::Timestamp => "google.protobuf.Timestamp (a string as \"2006-01-02T15:04:05.999Z\", years 1 to 9999)",
        WellKnown::Duration => "google.protobuf.Duration (a string as \"1.5s\", at most 315576000000s)",
        _ => "google.protobuf.FieldMask (a string as \"user.displayName,photo\")",
    }
}
