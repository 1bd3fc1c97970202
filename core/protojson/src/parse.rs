//! JSON → wire.
//!
//! A recursive descent whose cursor is an argument and a result ([`Step`]), so that it stays in a
//! register; the error, if there is one, waits in the [`Parser`] while its path is collected from
//! the inside out.

mod any;
mod digits;
mod error;
mod float;
mod map;
mod message;
mod number;
mod output;
mod scalar;
mod scan;
mod skip;
mod string;
mod text;
mod value;
mod well_known;

use crate::{FieldId, MessageId, ParseOptions, Schema};
use error::Segment;
use output::Output;

pub use error::{ParseError, ParseErrorKind, StringFault};
pub use text::text_to_field;

/// Translates the JSON document `json` into wire bytes of `message`, appended to `out`.
///
/// Fields are written in the order of the document; fields without presence are left out at their
/// default. Nesting is limited to [`ParseOptions::max_depth`], and to 500 whatever that says.
///
/// # Errors
/// [`ParseError`]; `out` then has the length that it had before.
pub fn json_to_wire(
    schema: &Schema,
    message: MessageId,
    json: &[u8],
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    translate(schema, json, options, out, |parser, at| parser.message_value(message, at))
}

/// Translates the JSON document `json` into the value of `field` (an array for a repeated field, an
/// object for a map), appended to `out` as wire bytes of the message that has the field, tags included.
///
/// The document `null` leaves the field unset, as it would inside of its message.
///
/// # Errors
/// [`ParseError`]; `out` then has the length that it had before.
pub fn json_to_field(
    schema: &Schema,
    field: FieldId,
    json: &[u8],
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<(), ParseError> {
    let field = schema.field(field);
    translate(schema, json, options, out, |parser, at| parser.member(field, at))
}

fn translate<'a>(
    schema: &'a Schema,
    json: &'a [u8],
    options: &'a ParseOptions,
    out: &mut Vec<u8>,
    value: impl FnOnce(&mut Parser<'a>, usize) -> Step,
) -> Result<(), ParseError> {
    let mut parser = Parser::new(schema, json, options, std::mem::take(out));
    let (start, _) = scan::token(json, 0);
    let done = value(&mut parser, start).and_then(|end| parser.end(end));
    match done {
        Ok(()) => {
            *out = parser.out.finish();
            Ok(())
        }
        Err(Failed) => {
            let error = parser.error();
            *out = parser.out.discard();
            Err(error)
        }
    }
}

/// How deep a document may nest whatever the options say: what the stack of a thread can carry.
const DEPTH_MAX: u32 = 500;

/// Translation stopped; why is in the parser.
#[derive(Clone, Copy, Debug)]
struct Failed;

/// Where the cursor stands behind what was read.
type Step = Result<usize, Failed>;

/// One translation. The cursor is not in it: see the module's text.
#[derive(Debug)]
struct Parser<'a> {
    schema: &'a Schema,
    options: &'a ParseOptions,
    json: &'a [u8],
    out: Output,
    /// How many levels there are above the current one.
    depth: u32,
    depth_max: u32,
    /// What is wrong, and where; `None` while [`Failed`] unwinds if the output is too large.
    error: Option<(ParseErrorKind, usize)>,
    /// The path to the error, innermost first.
    path: Vec<Segment>,
    /// A string with escapes.
    scratch: Vec<u8>,
    /// Bits of [`message::Seen`] beyond the first 64.
    spill: Vec<u64>,
    /// The keys of the maps being read; their owner cuts off its own.
    keys: Vec<map::MapKey>,
    /// Where [`map`] looks for duplicates in large maps.
    slots: Vec<(u32, u32)>,
    /// How wide the last length prefix was, of messages at each depth.
    widths: [u8; 64],
    /// Where nested `Any`s keep their types: see [`any`].
    late_types: any::LateTypes,
}

impl<'a> Parser<'a> {
    fn new(schema: &'a Schema, json: &'a [u8], options: &'a ParseOptions, out: Vec<u8>) -> Self {
        Self {
            schema,
            options,
            json,
            out: Output::new(out, json.len(), options.max_output),
            depth: 0,
            depth_max: options.max_depth.min(DEPTH_MAX),
            error: None,
            path: Vec::new(),
            scratch: Vec::new(),
            spill: Vec::new(),
            keys: Vec::new(),
            slots: Vec::new(),
            widths: [1; 64],
            late_types: any::LateTypes::default(),
        }
    }

    /// Checks that nothing but white space follows.
    fn end(&mut self, at: usize) -> Result<(), Failed> {
        let (at, _) = scan::token(self.json, at);
        if at < self.json.len() {
            return Err(self.syntax(at, "the end of the document"));
        }
        if self.out.is_over() { Err(Failed) } else { Ok(()) }
    }

    /// Goes down one level.
    #[inline]
    fn enter(&mut self, at: usize) -> Result<(), Failed> {
        if self.depth >= self.depth_max {
            return Err(self.fail(at, ParseErrorKind::TooDeep(self.depth_max)));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Reads a colon and the white space around it.
    #[inline]
    fn colon(&mut self, at: usize) -> Step {
        let (at, byte) = scan::token(self.json, at);
        if byte == b':' { Ok(at + 1) } else { Err(self.syntax(at, "`:`")) }
    }

    #[cold]
    fn fail(&mut self, at: usize, kind: ParseErrorKind) -> Failed {
        self.error = Some((kind, at));
        Failed
    }

    #[cold]
    fn syntax(&mut self, at: usize, expected: &'static str) -> Failed {
        let found = error::describe(self.json, at);
        self.fail(at, ParseErrorKind::Syntax { expected, found })
    }

    /// Another value than the wanted one: not JSON at all, or JSON of another type.
    #[cold]
    fn mismatch(&mut self, at: usize, expected: &str) -> Failed {
        match scan::peek(self.json, at) {
            b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' => {}
            _ if [&b"null"[..], b"true", b"false"].iter().any(|word| self.word(at, word).is_some()) => {}
            _ => return self.syntax(at, "a value"),
        }
        let found = error::describe(self.json, at);
        self.fail(at, ParseErrorKind::Mismatch { expected: expected.to_owned(), found })
    }

    /// Adds the member whose key stands at `at` to the path of an error.
    #[cold]
    #[inline(never)]
    fn unwind_field(&mut self, at: usize) -> Failed {
        let name = self.key_text(at);
        self.unwind(at, Segment::Field(name))
    }

    #[cold]
    fn unwind(&mut self, at: usize, segment: Segment) -> Failed {
        if self.error.is_none() {
            self.error = Some((ParseErrorKind::TooLarge(self.options.max_output), at));
        }
        self.path.push(segment);
        Failed
    }

    /// The key at `at`, for a message.
    fn key_text(&mut self, at: usize) -> String {
        let error = self.error.take();
        let text = match self.string(at) {
            Ok((text, _)) => error::shorten(self.text(text)),
            Err(Failed) => String::new(),
        };
        self.error = error;
        text
    }

    fn error(&mut self) -> ParseError {
        let too_large = || (ParseErrorKind::TooLarge(self.options.max_output), self.json.len());
        let (kind, offset) = self.error.take().unwrap_or_else(too_large);
        ParseError { kind, path: error::path(&self.path), offset }
    }

    /// Where `word` ends, if it stands at `at` and nothing of a longer word behind it.
    #[inline]
    fn word(&self, at: usize, word: &[u8]) -> Option<usize> {
        let rest = self.json.get(at..)?.strip_prefix(word)?;
        let longer = rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        (!longer).then_some(at + word.len())
    }
}
