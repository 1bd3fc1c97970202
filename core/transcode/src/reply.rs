//! Reply messages → HTTP bodies.

use crate::binding::Binding;
use crate::options::TranscodeOptions;
use bytes::Bytes;
use http::HeaderValue;
use tidegate_protojson::schema::Field;
use tidegate_protojson::wire::{Reader, WireError, WireType};
use tidegate_protojson::{PrintError, Schema, field_to_json, wire_to_json};

/// Groups nested deeper than this make a reply unreadable.
const DEPTH: u32 = 100;

/// A reply that is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpBodyReply {
    /// What the service says that the data is; `application/octet-stream` if it says nothing, or
    /// nothing that a header could hold.
    pub content_type: HeaderValue,
    /// The body: a slice of the reply.
    pub data: Bytes,
}

impl Binding {
    /// Appends the body for the reply message `wire`: the whole message as JSON, or the value of the
    /// rule's `response_body` (its default, if it is not set).
    ///
    /// # Errors
    /// The message is malformed or cannot be said in JSON; `out` then has the length that it had before.
    pub fn write_reply(
        &self,
        schema: &Schema,
        wire: &[u8],
        options: &TranscodeOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), PrintError> {
        match self.response_body {
            None => wire_to_json(schema, self.output, wire, &options.print, out),
            Some(field) => field_to_json(schema, field, wire, &options.print, out),
        }
    }

    /// The body of a reply that is a `google.api.HttpBody`, or whose `response_body` is one.
    ///
    /// `None` for any other reply, and for bytes that are no message: [`write_reply`](Self::write_reply)
    /// says what is wrong with those. Of a stream, the content type of the first message counts.
    #[must_use]
    pub fn http_body_reply(&self, schema: &Schema, wire: &Bytes) -> Option<HttpBodyReply> {
        if !self.raw_reply {
            return None;
        }
        let mut parts = Parts::default();
        match self.response_body {
            None => parts.merge(wire).ok()?,
            Some(field) => parts.merge_field(schema.field(field), wire).ok()?,
        }
        let content_type = parts.content_type.filter(|value| !value.is_empty());
        let content_type = content_type.and_then(|value| HeaderValue::from_bytes(value).ok());
        Some(HttpBodyReply {
            content_type: content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")),
            data: parts.data.map_or_else(Bytes::new, |data| wire.slice_ref(data)),
        })
    }
}

/// The fields of `google.api.HttpBody` that HTTP has a place for.
#[derive(Default)]
struct Parts<'w> {
    content_type: Option<&'w [u8]>,
    data: Option<&'w [u8]>,
}

impl<'w> Parts<'w> {
    /// Of several values the last one counts, and split messages merge.
    fn merge(&mut self, wire: &'w [u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.tag()? {
                (1, WireType::Len) => self.content_type = Some(reader.len_prefixed()?),
                (2, WireType::Len) => self.data = Some(reader.len_prefixed()?),
                (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
            }
        }
        Ok(())
    }

    /// Merges every occurrence of `field` in the message around it.
    fn merge_field(&mut self, field: &Field, wire: &'w [u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            match reader.tag()? {
                (number, WireType::Len) if number == field.number => self.merge(reader.len_prefixed()?)?,
                (number, wire_type) => reader.skip(number, wire_type, DEPTH)?,
            }
        }
        Ok(())
    }
}
