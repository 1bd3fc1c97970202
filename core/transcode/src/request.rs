//! Requests → one gRPC frame.
//!
//! The message is composed by concatenation, which protobuf defines as merging: what the body says,
//! then what the query says, then what the path says. `http.proto` puts every field in one of these
//! classes; a field that comes in two is refused, save where both say the same.

mod body;
mod carried;
mod path;
mod query;
mod required;
pub mod upload;

use crate::binding::{Binding, Body};
use crate::frame::{FRAME_HEADER_LEN, write_header};
use crate::options::TranscodeOptions;
use crate::refusal::Refusal;
use crate::router::Match;
use body::{Document, Place};
use http::StatusCode;
pub(crate) use required::has_required;
use tidegate_protojson::schema::Kind;
use tidegate_protojson::wire::{WireType, put_tag, put_varint};
use tidegate_protojson::{FieldId, Schema};
use upload::Item;

impl Match<'_> {
    /// Appends one complete gRPC frame (header and message) for a request that matched.
    ///
    /// `schema` is the one that the binding's service was added from. `query` is what stands behind `?`, raw.
    /// `content_type` matters only if there is a body: JSON is `application/json` and
    /// `application/*+json`, in UTF-8, or nothing. A body of white space alone is as none: it stands
    /// for `{}`, or, where the rule binds it to a field that is neither message nor map, leaves that
    /// field unset. A `google.api.HttpBody` takes any body as it is, with its content type.
    ///
    /// Allocates nothing but `out` in the common case. It does for percent-encoded names or values of
    /// more than 128 bytes, for a query of more than eight fields or with keys of a map, and for
    /// messages with proto2's `required` fields.
    ///
    /// # Errors
    /// [`Refusal`]: 415 for a body that is not JSON, else 400 with a message that names the place (path
    /// variable, query parameter or path in the body, and its byte) and a `google.rpc.BadRequest`; `out`
    /// then has the length that it had before.
    pub fn write_request(
        &self,
        schema: &Schema,
        query: Option<&str>,
        content_type: Option<&str>,
        body: &[u8],
        options: &TranscodeOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let document = Document { text: body, content_type, place: Place::Body };
        write_frame(out, |out| self.write_message(schema, query, document, options, out))
    }

    /// As [`write_request`](Self::write_request), for the first message of a client's stream: it
    /// carries what path and query say. See [`Binding::write_next_message`] for the others.
    ///
    /// `content_type` matters only to a `google.api.HttpBody`.
    ///
    /// # Errors
    /// [`Refusal`], which names the line or element.
    pub fn write_first_message(
        &self,
        schema: &Schema,
        query: Option<&str>,
        content_type: Option<&str>,
        item: &Item,
        options: &TranscodeOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let document = item.document(content_type.filter(|_| self.binding.raw_body));
        write_frame(out, |out| self.write_message(schema, query, document, options, out))
    }

    fn write_message(
        &self,
        schema: &Schema,
        query: Option<&str>,
        document: Document<'_>,
        options: &TranscodeOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let start = out.len();
        body::write(self.binding, schema, document, options, out)?;
        let body_len = out.len() - start;
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            // A field counts as carried by the body only if there was something to carry.
            let body_field = match self.binding.body {
                Body::Field(field) => Some((field, body_len > 0)),
                Body::None | Body::Whole => None,
            };
            query::Writer::new(self.binding, schema, options, body_field).write(query, out)?;
        }
        path::write(self, schema, options, start..start + body_len, out)?;
        if self.binding.required && !options.parse.allow_partial {
            required::check(schema, self.binding.input, &out[start..])?;
        }
        Ok(())
    }
}

impl Binding {
    /// Appends one complete gRPC frame for a message of a client's stream after the first: its body
    /// alone, since path and query were said in the first one.
    ///
    /// # Errors
    /// [`Refusal`], which names the line or element; `out` then has the length that it had before.
    pub fn write_next_message(
        &self,
        schema: &Schema,
        item: &Item,
        options: &TranscodeOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        write_frame(out, |out| {
            let start = out.len();
            body::write(self, schema, item.document(None), options, out)?;
            if self.required && !options.parse.allow_partial {
                required::check(schema, self.input, &out[start..])?;
            }
            Ok(())
        })
    }
}

/// Appends a frame around the message that `write` appends; nothing at all if that fails.
fn write_frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    let result = write(out).and_then(|()| {
        let len = out.len() - start - FRAME_HEADER_LEN;
        let header = out[start..].first_chunk_mut().expect("invariant: the header was just written");
        write_header(header, len).map_err(|error| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))
    });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Wraps the bytes from `start` on, which are of the message that `parents` lead to, into `parents`.
fn wrap(schema: &Schema, parents: &[FieldId], start: usize, out: &mut Vec<u8>) {
    for &parent in parents.iter().rev() {
        let field = schema.field(parent);
        let end = out.len();
        // What goes before is written behind, and then turned to the front.
        if let Kind::Group(_) = field.kind {
            put_tag(out, field.number, WireType::StartGroup);
            let header = out.len() - end;
            out[start..].rotate_right(header);
            put_tag(out, field.number, WireType::EndGroup);
        } else {
            put_tag(out, field.number, WireType::Len);
            put_varint(out, (end - start) as u64);
            let header = out.len() - end;
            out[start..].rotate_right(header);
        }
    }
}
