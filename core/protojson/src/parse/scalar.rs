//! Scalars and enums, as fields or as elements of lists.

use super::digits;
use super::error::{ParseErrorKind, describe, nearest, quote};
use super::number::{self, NoInteger, Number, type_name, wire_integer};
use super::scan::{self, Run, peek};
use super::string::Text;
use super::{Failed, Parser, Step};
use crate::UnknownFields;
use crate::plain::first_special;
use crate::schema::{Enum, EnumId, Kind, TagBytes};
use crate::wire::WireType;
use crate::wkt::base64;

/// Why a text is no number of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadNumber {
    /// Another text, or a fraction where an integer is wanted.
    Other,
    OutOfRange,
}

impl Parser<'_> {
    #[inline(never)]
    pub(super) fn integer_field(&mut self, kind: Kind, tag: TagBytes, at: usize, keep: bool) -> Step {
        // 64 bits come in quotes, if they come from a printer.
        let quote = usize::from(peek(self.json, at) == b'"');
        let (wire, end) = match digits::short_integer(self.json, at + quote) {
            Some((negative, magnitude, end)) if quote == 0 || peek(self.json, end) == b'"' => {
                match wire_integer(kind, negative, magnitude) {
                    Some(wire) => (wire, end + quote),
                    None => return Err(self.bad_number(BadNumber::OutOfRange, kind, at)),
                }
            }
            _ => self.integer(kind, at)?,
        };
        if wire != 0 || keep {
            self.put_integer(kind, tag, wire)?;
        }
        Ok(end)
    }

    #[inline(always)]
    fn put_integer(&mut self, kind: Kind, tag: TagBytes, wire: u64) -> Result<(), Failed> {
        match kind.wire_type() {
            WireType::Fixed32 => self.out.fixed32(tag, wire as u32),
            WireType::Fixed64 => self.out.fixed64(tag, wire),
            _ => self.out.varint(tag, wire),
        }
    }

    /// Reads elements of an array of integers, from behind its bracket, as long as they are short
    /// and follow each other without white space. Where that ends, and how many they were.
    ///
    /// Long arrays are mostly these; a loop of its own keeps its constants in registers.
    #[inline(never)]
    pub(super) fn plain_integers(&mut self, kind: Kind, mut at: usize) -> Result<(usize, usize), Failed> {
        let json = self.json;
        let zigzag = u32::from(matches!(kind, Kind::Sint32 | Kind::Sint64));
        let mut count = 0;
        loop {
            while let Some((value, len)) = digits::element(json, at) {
                self.out.short_varint((value as u32) << zigzag)?;
                count += 1;
                at += len + 1;
            }
            match digits::short_integer(json, at) {
                Some((negative, magnitude, end)) if peek(json, end) == b',' => {
                    let Some(wire) = wire_integer(kind, negative, magnitude) else {
                        return Ok((at, count));
                    };
                    self.out.varint(TagBytes::NONE, wire)?;
                    count += 1;
                    at = end + 1;
                }
                _ => return Ok((at, count)),
            }
        }
    }

    /// An integer in any form: with point or exponent, quoted, long.
    #[inline(never)]
    pub(super) fn integer(&mut self, kind: Kind, at: usize) -> Result<(u64, usize), Failed> {
        match peek(self.json, at) {
            b'-' | b'0'..=b'9' => {
                let number = match number::number(self.json, at) {
                    Ok(number) => number,
                    Err(error) => return Err(self.syntax(error.at, error.expected)),
                };
                match integer_wire(kind, number) {
                    Ok(wire) => Ok((wire, number.end)),
                    Err(error) => Err(self.bad_number(error, kind, at)),
                }
            }
            b'"' => {
                let (text, end) = self.string(at)?;
                match integer_text(kind, self.text(text)) {
                    Ok(wire) => Ok((wire, end)),
                    Err(error) => Err(self.bad_number(error, kind, at)),
                }
            }
            _ => Err(self.mismatch(at, type_name(kind))),
        }
    }

    #[cold]
    fn bad_number(&mut self, error: BadNumber, kind: Kind, at: usize) -> Failed {
        let found = describe(self.json, at);
        let expected = type_name(kind);
        self.fail(at, bad_number(error, expected, found))
    }

    #[inline(never)]
    pub(super) fn double_field(&mut self, tag: TagBytes, at: usize, keep: bool) -> Step {
        let (value, end) = match peek(self.json, at) {
            b'-' | b'0'..=b'9' => self.double(at)?,
            b'"' => {
                let (text, end) = self.string(at)?;
                match float_text::<f64>(self.text(text)) {
                    Ok(value) => (value, end),
                    Err(error) => return Err(self.bad_number(error, Kind::Double, at)),
                }
            }
            _ => return Err(self.mismatch(at, "double")),
        };
        // By its bits: -0.0 is not the default.
        if value.to_bits() != 0 || keep {
            self.out.fixed64(tag, value.to_bits())?;
        }
        Ok(end)
    }

    /// A number in any form.
    #[inline(always)]
    fn number(&mut self, at: usize) -> Result<Number, Failed> {
        if let Some(number) = digits::short_decimal(self.json, at) {
            return Ok(number);
        }
        match number::number(self.json, at) {
            Ok(number) => Ok(number),
            Err(error) => Err(self.syntax(error.at, error.expected)),
        }
    }

    /// A finite number.
    pub(super) fn double(&mut self, at: usize) -> Result<(f64, usize), Failed> {
        let number = self.number(at)?;
        let value = number.double(self.json.get(at..number.end).unwrap_or_default());
        if value.is_infinite() {
            return Err(self.bad_number(BadNumber::OutOfRange, Kind::Double, at));
        }
        Ok((value, number.end))
    }

    #[inline(never)]
    pub(super) fn float_field(&mut self, tag: TagBytes, at: usize, keep: bool) -> Step {
        let (value, end) = match peek(self.json, at) {
            b'-' | b'0'..=b'9' => {
                let number = self.number(at)?;
                let value = number.float(self.json.get(at..number.end).unwrap_or_default());
                if value.is_infinite() {
                    return Err(self.bad_number(BadNumber::OutOfRange, Kind::Float, at));
                }
                (value, number.end)
            }
            b'"' => {
                let (text, end) = self.string(at)?;
                match float_text::<f32>(self.text(text)) {
                    Ok(value) => (value, end),
                    Err(error) => return Err(self.bad_number(error, Kind::Float, at)),
                }
            }
            _ => return Err(self.mismatch(at, "float")),
        };
        if value.to_bits() != 0 || keep {
            self.out.fixed32(tag, value.to_bits())?;
        }
        Ok(end)
    }

    #[inline(never)]
    pub(super) fn bool_field(&mut self, tag: TagBytes, at: usize, keep: bool) -> Step {
        let (value, end) = if let Some(end) = self.word(at, b"true") {
            (true, end)
        } else if let Some(end) = self.word(at, b"false") {
            (false, end)
        } else {
            return Err(self.mismatch(at, "bool"));
        };
        if value || keep {
            self.out.varint(tag, value.into())?;
        }
        Ok(end)
    }

    #[inline(never)]
    pub(super) fn string_field(&mut self, tag: TagBytes, at: usize, keep: bool) -> Step {
        self.string_value(tag, at, keep)
    }

    /// As [`string_field`](Self::string_field), for the loop over a list.
    #[inline(always)]
    pub(super) fn string_value(&mut self, tag: TagBytes, at: usize, keep: bool) -> Step {
        if peek(self.json, at) != b'"' {
            return Err(self.mismatch(at, "string"));
        }
        let start = at + 1;
        let mut behind = start;
        if let Some(chunk) = scan::chunk(self.json, start) {
            match first_special(chunk) {
                // A short one without anything special: tag and length in one store, the text in another.
                Some(len) if chunk.get(len) == Some(&b'"') => {
                    if len > 0 || keep {
                        self.out.varint(tag, len as u64)?;
                        self.out.chunk(*chunk, len)?;
                    }
                    return Ok(start + len + 1);
                }
                Some(_) => {}
                None => behind += chunk.len(),
            }
        }
        let run = scan::run(self.json, behind);
        if run.high == run.end && run.end > start && peek(self.json, run.end) == b'"' {
            self.out.len_prefixed(tag, self.json.get(start..run.end).unwrap_or_default())?;
            return Ok(run.end + 1);
        }
        self.unusual_string_field(tag, run, start, keep)
    }

    /// A string with escapes, or not only of ASCII.
    #[inline(never)]
    fn unusual_string_field(&mut self, tag: TagBytes, run: Run, start: usize, keep: bool) -> Step {
        if peek(self.json, run.end) == b'\\' {
            let before = self.out.position();
            self.out.tag(tag)?;
            // What follows the first escape is as long again, or not long.
            let mark = self.out.open(if run.end - start < 100 { 1 } else { 2 })?;
            if let Some(end) = self.unescape_to_output(run, start)? {
                self.out.close(mark)?;
                return Ok(end);
            }
            self.out.rewind(before);
        }
        let (text, end) = self.long_string(run, start)?;
        let bytes = match text {
            Text::Plain(raw) => raw,
            Text::Scratch => &self.scratch,
        };
        if !bytes.is_empty() || keep {
            self.out.len_prefixed(tag, bytes)?;
        }
        Ok(end)
    }

    #[inline(never)]
    pub(super) fn bytes_field(&mut self, tag: TagBytes, at: usize, keep: bool) -> Step {
        if peek(self.json, at) != b'"' {
            return Err(self.mismatch(at, "bytes (a string of base64)"));
        }
        let (text, end) = self.string(at)?;
        let base64 = match text {
            Text::Plain(raw) => raw,
            Text::Scratch => &std::mem::take(&mut self.scratch),
        };
        self.base64(tag, base64, at, keep)?;
        Ok(end)
    }

    /// Writes the bytes that `text` says; `at` is for an error.
    pub(super) fn base64(&mut self, tag: TagBytes, text: &[u8], at: usize, keep: bool) -> Result<(), Failed> {
        if text.is_empty() && !keep {
            return Ok(());
        }
        let characters = base64::without_padding(text);
        let len = base64::decoded_len(characters);
        self.out.varint(tag, len as u64)?;
        let room = self.out.room(len)?;
        if !base64::decode(characters, room) {
            let found = quote(text);
            return Err(self.fail(at, ParseErrorKind::Malformed { expected: "base64", found }));
        }
        self.out.advance(len);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn enum_field(&mut self, id: EnumId, tag: TagBytes, at: usize, keep: bool) -> Step {
        let enumeration = self.schema.enumeration(id);
        let (value, end) = match peek(self.json, at) {
            b'"' => {
                let (text, end) = self.string(at)?;
                (enum_text(enumeration, self.text(text)), end)
            }
            b'-' | b'0'..=b'9' => {
                let (wire, end) = self.integer(Kind::Enum(id), at)?;
                (known(enumeration, wire as i32), end)
            }
            b'n' if enumeration.null_value && self.word(at, b"null").is_some() => (Some(0), at + 4),
            _ => return Err(self.no_enum(enumeration, at)),
        };
        let Some(value) = value else {
            if self.options.unknown_fields == UnknownFields::Ignore {
                return Ok(end);
            }
            return Err(self.unknown_enum_value(enumeration, at));
        };
        if value != 0 || keep {
            self.out.varint(tag, i64::from(value).cast_unsigned())?;
        }
        Ok(end)
    }

    #[cold]
    fn no_enum(&mut self, enumeration: &Enum, at: usize) -> Failed {
        self.mismatch(at, &format!("enum {}", enumeration.full_name))
    }

    #[cold]
    fn unknown_enum_value(&mut self, enumeration: &Enum, at: usize) -> Failed {
        let (value, suggestion) = if peek(self.json, at) == b'"' {
            let name = self.key_text(at);
            (quote(name.as_bytes()), nearest(&name, enumeration.names()))
        } else {
            (describe(self.json, at), None)
        };
        self.fail(at, unknown_enum_value(enumeration, value, suggestion))
    }
}

pub(super) fn unknown_enum_value(enumeration: &Enum, value: String, suggestion: Option<String>) -> ParseErrorKind {
    ParseErrorKind::UnknownEnumValue { value, enumeration: enumeration.full_name.to_string(), suggestion }
}

pub(super) fn bad_number(error: BadNumber, expected: &'static str, found: String) -> ParseErrorKind {
    match error {
        BadNumber::Other => ParseErrorKind::Mismatch { expected: expected.to_owned(), found },
        BadNumber::OutOfRange => ParseErrorKind::OutOfRange { expected, found },
    }
}

/// The value that a name, or the digits of a number, stand for.
pub(super) fn enum_text(enumeration: &Enum, text: &[u8]) -> Option<i32> {
    if let Some(number) = enumeration.by_name.get(text) {
        return Some(number.cast_signed());
    }
    let number = number::number(text, 0).ok().filter(|number| number.end == text.len())?;
    let wire = wire_integer(Kind::Int32, number.negative, number.integer().ok()?)?;
    known(enumeration, wire as i32)
}

/// A closed enum has only the values that it names.
fn known(enumeration: &Enum, value: i32) -> Option<i32> {
    if enumeration.closed && enumeration.name(value).is_none() { None } else { Some(value) }
}

fn integer_wire(kind: Kind, number: Number) -> Result<u64, BadNumber> {
    let magnitude = number.integer().map_err(|error| match error {
        NoInteger::Fraction => BadNumber::Other,
        NoInteger::TooLarge => BadNumber::OutOfRange,
    })?;
    wire_integer(kind, number.negative, magnitude).ok_or(BadNumber::OutOfRange)
}

/// The integer that a whole text says, as [`wire_integer`] has it.
pub(super) fn integer_text(kind: Kind, text: &[u8]) -> Result<u64, BadNumber> {
    let number = number::number(text, 0).map_err(|_| BadNumber::Other)?;
    if number.end != text.len() {
        return Err(BadNumber::Other);
    }
    integer_wire(kind, number)
}

/// The two float types, for [`float_text`].
pub(super) trait Float: Copy {
    /// Not a number, and infinity of either sign.
    const SPECIAL: [Self; 3];
    fn round(number: Number, token: &[u8]) -> Self;
    fn is_finite(self) -> bool;
}

impl Float for f64 {
    const SPECIAL: [Self; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    fn round(number: Number, token: &[u8]) -> Self {
        number.double(token)
    }
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

impl Float for f32 {
    const SPECIAL: [Self; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    fn round(number: Number, token: &[u8]) -> Self {
        number.float(token)
    }
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

/// The float that a whole text says; infinity only by its name.
pub(super) fn float_text<F: Float>(text: &[u8]) -> Result<F, BadNumber> {
    let [nan, infinity, negative_infinity] = F::SPECIAL;
    match text {
        b"NaN" => return Ok(nan),
        b"Infinity" => return Ok(infinity),
        b"-Infinity" => return Ok(negative_infinity),
        _ => {}
    }
    let number = number::number(text, 0).map_err(|_| BadNumber::Other)?;
    if number.end != text.len() {
        return Err(BadNumber::Other);
    }
    let value = F::round(number, text);
    if value.is_finite() { Ok(value) } else { Err(BadNumber::OutOfRange) }
}
