//! `google.protobuf.Any`: an object whose `@type`, wherever it stands, says what the other members mean.
//!
//! Mostly it stands first. If not, the object is read once ahead, to find it, and so are the types
//! of the `Any`s inside of it, wherever they are: however deep they nest, every byte is read twice
//! at most.

use super::error::{ParseErrorKind, quote};
use super::scan::{peek, token};
use super::string::Text;
use super::{Failed, Parser, Step};
use crate::UnknownFields;
use crate::schema::{MessageId, TagBytes, WellKnown};
use crate::wire::WireType;

const TYPE_URL: TagBytes = TagBytes::short(1, WireType::Len);
const VALUE: TagBytes = TagBytes::short(2, WireType::Len);

/// Where objects that were read ahead have their types.
#[derive(Debug, Default)]
pub(super) struct LateTypes {
    /// Brace of the object, value of its `@type`; ascending, once complete.
    found: Vec<(usize, usize)>,
    /// The end of what was read ahead.
    end: usize,
}

impl LateTypes {
    pub(super) fn note(&mut self, open: usize, value: usize) {
        self.found.push((open, value));
    }

    /// Where the object at `open` has its (first) type.
    fn get(&self, open: usize) -> Option<usize> {
        let index = self.found.partition_point(|entry| entry.0 < open);
        self.found.get(index).filter(|entry| entry.0 == open).map(|entry| entry.1)
    }
}

impl Parser<'_> {
    /// Reads an `Any`.
    pub(super) fn any(&mut self, open: usize) -> Step {
        if peek(self.json, open) != b'{' {
            return Err(self.mismatch(open, "object (google.protobuf.Any)"));
        }
        let (first, byte) = token(self.json, open + 1);
        if byte == b'}' {
            self.enter(open)?;
            self.leave();
            return Ok(first + 1);
        }
        let Some(url_at) = self.type_position(open, first)? else {
            return Err(self.fail(open, ParseErrorKind::AnyWithoutType));
        };
        let id = self.any_type(url_at)?;
        let before = self.out.position();
        self.out.tag(VALUE)?;
        let payload = self.out.position();
        self.enter(open)?;
        let end = self.prefixed(|parser| match parser.schema.message(id).well_known {
            WellKnown::None => parser.members(id, open, true),
            _ => parser.any_value(id, open),
        })?;
        self.leave();
        // One byte more than nothing: a length of zero.
        if self.out.position() == payload + 1 {
            self.out.rewind(before);
        }
        Ok(end)
    }

    /// Where the value of `@type` stands in the object at `open`, its first member at `first`.
    fn type_position(&mut self, open: usize, first: usize) -> Result<Option<usize>, Failed> {
        if peek(self.json, first) == b'"' {
            let (text, end) = self.string(first)?;
            if self.text(text) == b"@type" {
                let value = self.colon(end)?;
                return Ok(Some(token(self.json, value).0));
            }
        }
        if open >= self.late_types.end {
            self.late_types.found.clear();
            self.late_types.end = self.skip_value(open, true)?;
            self.late_types.found.sort_unstable();
        }
        Ok(self.late_types.get(open))
    }

    /// Reads and writes a type URL; the message that it names.
    fn any_type(&mut self, at: usize) -> Result<MessageId, Failed> {
        if peek(self.json, at) != b'"' {
            return Err(self.mismatch(at, "string (a type URL)"));
        }
        let (text, _) = self.string(at)?;
        let url = match text {
            Text::Plain(raw) => raw,
            Text::Scratch => &self.scratch,
        };
        let name = url.iter().rposition(|&byte| byte == b'/').and_then(|slash| url.get(slash + 1..));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let found = quote(url);
            return Err(self.fail(at, ParseErrorKind::BadTypeUrl(found)));
        };
        let Some(id) = std::str::from_utf8(name).ok().and_then(|name| self.schema.find_message(name)) else {
            let found = quote(url);
            return Err(self.fail(at, ParseErrorKind::UnknownType(found)));
        };
        self.out.len_prefixed(TYPE_URL, url)?;
        Ok(id)
    }

    /// Reads an `Any` of a type with a JSON form of its own: that form is the member `value`.
    fn any_value(&mut self, id: MessageId, open: usize) -> Step {
        let json = self.json;
        let message = self.schema.message(id);
        let (mut has_type, mut has_value) = (false, false);
        let (mut at, mut byte) = token(json, open + 1);
        loop {
            if byte != b'"' {
                return Err(self.syntax(at, "a member's name"));
            }
            let key = at;
            let (text, end) = self.string(key)?;
            let name = self.text(text);
            let (is_type, is_value) = (name == b"@type", name == b"value");
            let (value, _) = token(json, self.colon(end)?);
            if (is_type && has_type) || (is_value && has_value) {
                return Err(self.duplicate(key));
            }
            if !is_type && !is_value && self.options.unknown_fields == UnknownFields::Reject {
                return Err(self.unknown_field(message, key));
            }
            let read = if is_value { self.message_value(id, value) } else { self.skip(value) };
            has_type |= is_type;
            has_value |= is_value;
            let Ok(end) = read else {
                return Err(self.unwind_field(key));
            };
            (at, byte) = token(json, end);
            if byte == b'}' {
                break;
            }
            if byte != b',' {
                return Err(self.syntax(at, "`,` or `}`"));
            }
            (at, byte) = token(json, at + 1);
        }
        // Empty needs none: by the specification it is an ordinary message without fields.
        if !has_value && message.well_known != WellKnown::Empty {
            let name = message.full_name.to_string();
            return Err(self.fail(open, ParseErrorKind::AnyWithoutValue(name)));
        }
        Ok(at + 1)
    }
}
