//! A stream of replies in one HTTP body: as a JSON array, as lines, or as server-sent events.
//!
//! | framing | content type | messages | an error after the first message |
//! |---|---|---|---|
//! | [`Framing::JsonArray`] | `application/json` | `[{…},{…}]` | last element `{"error":{status}}` |
//! | [`Framing::Ndjson`] | `application/x-ndjson` | `{…}⏎{…}⏎` | last line `{"error":{status}}` |
//! | [`Framing::Sse`] | `text/event-stream` | `data: {…}⏎⏎` | `event: error⏎data: {status}⏎⏎` |
//!
//! `{status}` is a `google.rpc.Status` (see [`Status::to_json`]). An error before the first message is
//! no affair of the framing: it is answered with its own HTTP status.

mod accept;

use crate::status::Status;
use tidegate_protojson::Schema;

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON array.
    JsonArray,
    /// A message per line.
    Ndjson,
    /// Server-sent events (WHATWG HTML, section 9.2).
    Sse,
}

/// Writes the parts of a body around the messages that a closure prints.
///
/// [`begin`](Self::begin), then [`message`](Self::message) any number of times, then either
/// [`end`](Self::end) or [`error`](Self::error). Nothing is kept between the calls but a flag.
#[derive(Clone, Debug)]
pub struct StreamWriter {
    framing: Framing,
    /// A message was written.
    started: bool,
}

// === impl Framing ===

impl Framing {
    /// The framing that an `Accept` header asks for; `None` if it accepts none of them (406).
    ///
    /// The greatest quality wins; among equals the range that says more (`text/event-stream` before
    /// `text/*` before `*/*`), then the one named first. No header, or an empty one, is a JSON array.
    /// `application/ndjson` and `application/jsonl` ask for lines as well. Several header lines are
    /// to be joined by commas. Source: RFC 9110, section 12.5.1.
    #[must_use]
    pub fn from_accept(accept: Option<&str>) -> Option<Self> {
        match accept.map(str::trim) {
            None | Some("" | "*/*" | "application/json") => Some(Self::JsonArray),
            Some("application/x-ndjson") => Some(Self::Ndjson),
            Some("text/event-stream") => Some(Self::Sse),
            Some(header) => accept::negotiate(header),
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::JsonArray => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Sse => "text/event-stream",
        }
    }
}

// === impl StreamWriter ===

impl StreamWriter {
    /// Writes in this framing.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, started: false }
    }

    /// Writes what stands before the first message.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::JsonArray {
            out.push(b'[');
        }
    }

    /// Writes one message, which `print` appends as JSON (with or without white space in it).
    ///
    /// # Errors
    /// That of `print`; `out` then has the length that it had before.
    pub fn message<E>(
        &mut self,
        out: &mut Vec<u8>,
        print: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = out.len();
        match self.framing {
            Framing::JsonArray if self.started => out.push(b','),
            Framing::JsonArray | Framing::Ndjson => {}
            Framing::Sse => out.extend_from_slice(b"data: "),
        }
        let start = out.len();
        if let Err(error) = print(out) {
            out.truncate(before);
            return Err(error);
        }
        self.close(out, start);
        self.started = true;
        Ok(())
    }

    /// Writes a failure and ends the body. Details are resolved in `schema`.
    pub fn error(&mut self, schema: &Schema, status: &Status, out: &mut Vec<u8>) {
        match self.framing {
            Framing::JsonArray if self.started => out.extend_from_slice(b",{\"error\":"),
            Framing::JsonArray | Framing::Ndjson => out.extend_from_slice(b"{\"error\":"),
            Framing::Sse => out.extend_from_slice(b"event: error\ndata: "),
        }
        let start = out.len();
        status.to_json(schema, out);
        if self.framing != Framing::Sse {
            out.push(b'}');
        }
        self.close(out, start);
        self.end(out);
    }

    /// Writes what stands behind the last message.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::JsonArray {
            out.push(b']');
        }
    }

    /// Ends the message that begins at `start`, and keeps its line breaks (which in JSON are white
    /// space between values) from being taken for separators.
    fn close(&self, out: &mut Vec<u8>, start: usize) {
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        match self.framing {
            Framing::JsonArray => {}
            Framing::Ndjson => {
                out[start..].iter_mut().filter(|byte| is_break(byte)).for_each(|byte| *byte = b' ');
                out.push(b'\n');
            }
            Framing::Sse => {
                if memchr::memchr2(b'\n', b'\r', &out[start..]).is_some() {
                    let text = out.split_off(start);
                    for (index, line) in text.split(is_break).enumerate() {
                        out.extend_from_slice(if index == 0 { b"" } else { b"\ndata: " });
                        out.extend_from_slice(line);
                    }
                }
                out.extend_from_slice(b"\n\n");
            }
        }
    }
}
