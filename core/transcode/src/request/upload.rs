//! A stream of requests in one HTTP body: told apart as it comes, a message at a time.
//!
//! | content type | messages |
//! |---|---|
//! | `application/x-ndjson` (`application/ndjson`, `application/jsonl`) | one JSON text to a line; empty lines count, and are skipped |
//! | `application/json`, none | the elements of one JSON array |
//! | any, of a `google.api.HttpBody` | the body, in the pieces in which it comes |
//!
//! Where a message begins and ends is found without reading it: that is [`Match::write_first_message`]'s
//! and [`Binding::write_next_message`]'s part.
//!
//! [`Match::write_first_message`]: crate::Match::write_first_message

use super::body::{Document, Place, is_json, is_lines, is_space};
use crate::binding::Binding;
use crate::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use http::StatusCode;

/// How the messages of a body are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON text to a line.
    Lines,
    /// The elements of a JSON array.
    Array,
    /// The pieces of a body that is no JSON, of at most the splitter's limit.
    Raw,
}

/// One message of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its JSON, or its bytes.
    pub text: Bytes,
    place: Place,
}

/// Cuts a body into messages.
///
/// A message that lies within one chunk is a slice of it; any other is copied once. At most one
/// message (≤ `limit` bytes) is held beside the chunk that was pushed last: call
/// [`next`](Self::next) until it gives `None` after each [`push`](Self::push). Time is linear in the body.
#[derive(Debug)]
pub struct Splitter {
    form: Form,
    limit: usize,
    /// What was pushed and not yet looked at.
    chunk: Bytes,
    /// Where in the body `chunk` begins.
    at: u64,
    /// The part of a message that earlier chunks had.
    partial: BytesMut,
    /// Lines or elements that are complete.
    count: u64,
    array: Array,
}

/// How far an array is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Array {
    /// Before its `[`.
    Before,
    /// Behind its `[` or a `,`.
    Between,
    /// Within an element.
    Element(Element),
    /// Behind its `]`.
    After,
}

/// Within an element, which ends at a `,` or `]` that is neither nested nor in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    /// Where it begins.
    start: u64,
    depth: u64,
    string: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// Behind a `\` in a string.
    Escape,
}

// === impl Form ===

impl Form {
    /// The form of a body with this content type, for a rule that takes a stream.
    ///
    /// # Errors
    /// 415: the body is neither lines nor JSON in UTF-8.
    pub fn of(binding: &Binding, content_type: Option<&str>) -> Result<Self, Refusal> {
        match content_type {
            _ if binding.raw_body => Ok(Self::Raw),
            Some(content_type) if is_lines(content_type) => Ok(Self::Lines),
            content_type if is_json(content_type) => Ok(Self::Array),
            content_type => {
                let found = super::query::shorten(content_type.unwrap_or_default());
                let message = format!(
                    "content type `{found}` is no stream of JSON in UTF-8: send application/x-ndjson, \
                     or an array as application/json"
                );
                Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
            }
        }
    }
}

// === impl Item ===

impl Item {
    pub(super) fn document<'d>(&'d self, content_type: Option<&'d str>) -> Document<'d> {
        Document { text: &self.text, content_type, place: self.place }
    }
}

// === impl Splitter ===

impl Splitter {
    /// Takes messages of up to `limit` bytes.
    #[must_use]
    pub fn new(form: Form, limit: usize) -> Self {
        let (chunk, partial) = (Bytes::new(), BytesMut::new());
        Self { form, limit, chunk, at: 0, partial, count: 0, array: Array::Before }
    }

    /// Takes the next chunk of the body.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let rest = std::mem::take(&mut self.chunk);
            self.chunk = [&rest[..], &chunk].concat().into();
        }
    }

    /// Bytes that it keeps, of what was pushed and not given out yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.chunk.len() + self.partial.len()
    }

    /// The next message; `None` until more is pushed.
    ///
    /// # Errors
    /// 413: a message is above the limit. 400: the body is no array. Nothing more can be read then.
    #[expect(clippy::should_implement_trait, reason = "an iterator would have to end at the first None")]
    pub fn next(&mut self) -> Result<Option<Item>, Refusal> {
        match self.form {
            Form::Lines => self.next_line(),
            Form::Array => self.next_element(),
            Form::Raw => Ok(self.next_piece()),
        }
    }

    /// Says that the body has ended; gives the last message, if nothing ended it before.
    ///
    /// # Errors
    /// 400: the array is not closed.
    pub fn finish(&mut self) -> Result<Option<Item>, Refusal> {
        match (self.form, self.array) {
            (Form::Lines, _) if !self.partial.is_empty() => {
                let line = self.partial.split().freeze();
                Ok(self.line(line))
            }
            (Form::Array, Array::Between | Array::Element(_)) => {
                Err(self.bad_array(self.at, "the array is not closed"))
            }
            _ => Ok(None),
        }
    }

    fn next_line(&mut self) -> Result<Option<Item>, Refusal> {
        while !self.chunk.is_empty() {
            let end = memchr::memchr(b'\n', &self.chunk);
            let text = self.take(end.unwrap_or(self.chunk.len()))?;
            let Some(text) = text.filter(|_| end.is_some()) else { continue };
            self.skip();
            if let Some(item) = self.line(text) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// Counts a line; `None` if it is empty.
    fn line(&mut self, text: Bytes) -> Option<Item> {
        self.count += 1;
        let blank = text.iter().all(is_space);
        (!blank).then_some(Item { text, place: Place::Line(self.count) })
    }

    fn next_piece(&mut self) -> Option<Item> {
        if self.chunk.is_empty() {
            return None;
        }
        let text = self.chunk.split_to(self.chunk.len().min(self.limit));
        Some(Item { text, place: Place::Body })
    }

    fn next_element(&mut self) -> Result<Option<Item>, Refusal> {
        while let Some(&byte) = self.chunk.first() {
            match self.array {
                Array::Element(element) => {
                    if let Some(item) = self.scan(element)? {
                        return Ok(Some(item));
                    }
                }
                _ if is_space(&byte) => self.skip(),
                Array::Before if byte == b'[' => {
                    self.array = Array::Between;
                    self.skip();
                }
                Array::Before => {
                    let message = "expected an array of messages; one message to a line is application/x-ndjson";
                    return Err(self.bad_array(self.at, message));
                }
                Array::Between if byte == b']' && self.count == 0 => {
                    self.array = Array::After;
                    self.skip();
                }
                Array::Between if matches!(byte, b',' | b']') => {
                    return Err(self.bad_array(self.at, "expected a message"));
                }
                Array::Between => {
                    self.array = Array::Element(Element { start: self.at, depth: 0, string: Text::Outside });
                }
                Array::After => return Err(self.bad_array(self.at, "content behind the end of the array")),
            }
        }
        Ok(None)
    }

    /// Reads on in an element.
    fn scan(&mut self, mut element: Element) -> Result<Option<Item>, Refusal> {
        let end = self.chunk.iter().position(|&byte| element.ends_before(byte));
        self.array = Array::Element(element);
        let Some(end) = end else {
            self.take(self.chunk.len())?;
            return Ok(None);
        };
        let text = self.take(end)?.unwrap_or_default();
        self.array = if self.chunk.first() == Some(&b']') { Array::After } else { Array::Between };
        self.skip();
        let place = Place::Element { index: self.count, offset: element.start };
        self.count += 1;
        Ok(Some(Item { text, place }))
    }

    /// Takes `count` bytes of a message, which are all of the chunk or its last: then gives the whole.
    fn take(&mut self, count: usize) -> Result<Option<Bytes>, Refusal> {
        if self.partial.len() + count > self.limit {
            return Err(self.too_long());
        }
        let piece = self.chunk.split_to(count);
        self.at += count as u64;
        if self.chunk.is_empty() {
            self.partial.extend_from_slice(&piece);
            return Ok(None);
        }
        if self.partial.is_empty() {
            return Ok(Some(piece));
        }
        self.partial.extend_from_slice(&piece);
        Ok(Some(self.partial.split().freeze()))
    }

    /// Passes over one byte.
    fn skip(&mut self) {
        let _ = self.chunk.split_to(1);
        self.at += 1;
    }

    fn too_long(&self) -> Refusal {
        let (limit, number) = (self.limit, self.count + 1);
        let message = match self.form {
            Form::Lines => format!("line {number}: a message of more than {limit} bytes"),
            Form::Array | Form::Raw => format!("body: [{}]: a message of more than {limit} bytes", self.count),
        };
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    fn bad_array(&self, at: u64, what: &str) -> Refusal {
        Refusal::bad_field("body", "", &format!("{what} (byte {at})"))
    }
}

// === impl Element ===

impl Element {
    /// Takes the next byte; whether the element ends before it.
    fn ends_before(&mut self, byte: u8) -> bool {
        match (self.string, byte) {
            (Text::Escape, _) | (Text::Outside, b'"') => self.string = Text::Inside,
            (Text::Inside, b'\\') => self.string = Text::Escape,
            (Text::Inside, b'"') => self.string = Text::Outside,
            (Text::Inside, _) => {}
            (Text::Outside, b',' | b']') if self.depth == 0 => return true,
            (Text::Outside, b'[' | b'{') => self.depth += 1,
            (Text::Outside, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
            (Text::Outside, _) => {}
        }
        false
    }
}
