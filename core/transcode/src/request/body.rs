//! The HTTP body.

use crate::binding::{Binding, Body};
use crate::options::{Strictness, TranscodeOptions};
use crate::refusal::Refusal;
use http::StatusCode;
use tidegate_protojson::schema::{Cardinality, Kind};
use tidegate_protojson::wire::{WireType, put_len_prefixed, put_tag};
use tidegate_protojson::{FieldId, ParseError, ParseErrorKind, ParseOptions, Schema, json_to_field, json_to_wire};

/// Where the document stands that is read, for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the body.
    Body,
    /// It is a line of it, counted from 1; offsets are those in the line.
    Line(u64),
    /// It is an element of the array that the body is.
    Element {
        /// From 0.
        index: u64,
        /// Where in the body it begins.
        offset: u64,
    },
}

/// A document, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document<'d> {
    pub(super) text: &'d [u8],
    /// `None` is JSON.
    pub(super) content_type: Option<&'d str>,
    pub(super) place: Place,
}

/// White space as JSON has it (RFC 8259, section 2), which is less than ASCII has.
pub(super) fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Appends what the body says.
pub(super) fn write(
    binding: &Binding,
    schema: &Schema,
    document: Document<'_>,
    options: &TranscodeOptions,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let Document { text: body, content_type, place } = document;
    if binding.raw_body {
        write_raw(binding, schema, content_type, body, out);
        return Ok(());
    }
    let is_empty = body.iter().all(is_space);
    match binding.body {
        Body::None if is_empty || options.unexpected_body == Strictness::Ignore => Ok(()),
        Body::None => Err(Refusal::bad_field("body", "", "this method takes no body")),
        Body::Whole if is_empty => Ok(()),
        Body::Field(field) if is_empty => {
            write_empty(schema, field, out);
            Ok(())
        }
        Body::Whole | Body::Field(_) if !is_json(content_type) => {
            let found = content_type.unwrap_or_default();
            let found = super::query::shorten(found);
            let message = format!("content type `{found}` is not JSON in UTF-8: send application/json");
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
        // What the body lacks may come from the path or the query: that is checked at the end.
        _ if binding.required && !options.parse.allow_partial => {
            let partial = ParseOptions { allow_partial: true, ..options.parse.clone() };
            write_json(binding, schema, (body, place), &partial, out)
        }
        Body::Whole | Body::Field(_) => write_json(binding, schema, (body, place), &options.parse, out),
    }
}

fn write_json(
    binding: &Binding,
    schema: &Schema,
    (body, place): (&[u8], Place),
    options: &ParseOptions,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match binding.body {
        Body::None => Ok(()),
        Body::Whole => {
            json_to_wire(schema, binding.input, body, options, out).map_err(|error| refuse(place, "", error))
        }
        Body::Field(field) => json_to_field(schema, field, body, options, out)
            .map_err(|error| refuse(place, &schema.field(field).name, error)),
    }
}

/// `google.api.HttpBody`: the content type and the bytes.
fn write_raw(binding: &Binding, schema: &Schema, content_type: Option<&str>, body: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    if let Some(content_type) = content_type.filter(|value| !value.is_empty()) {
        put_tag(out, 1, WireType::Len);
        put_len_prefixed(out, content_type.as_bytes());
    }
    if !body.is_empty() {
        put_tag(out, 2, WireType::Len);
        put_len_prefixed(out, body);
    }
    if let Body::Field(field) = binding.body {
        super::wrap(schema, &[field], start, out);
    }
}

/// No content: an empty message. A field that can hold no empty message stays unset.
fn write_empty(schema: &Schema, field: FieldId, out: &mut Vec<u8>) {
    let singular = schema.field(field).cardinality == Cardinality::Singular;
    if singular && matches!(schema.field(field).kind, Kind::Message(_) | Kind::Group(_)) {
        super::wrap(schema, &[field], out.len(), out);
    }
}

/// Names the place: the byte of the document, and the path in the request message.
fn refuse(place: Place, prefix: &str, mut error: ParseError) -> Refusal {
    let mut field = String::from(prefix);
    if !prefix.is_empty() && !error.path.is_empty() && !error.path.starts_with('[') {
        field.push('.');
    }
    field.push_str(&error.path);
    let place = match place {
        Place::Body => "body".into(),
        Place::Line(number) => format!("line {number}"),
        Place::Element { index, offset } => {
            error.offset += usize::try_from(offset).unwrap_or(0);
            format!("body: [{index}]")
        }
    };
    if let ParseErrorKind::TooLarge(_) = error.kind {
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("{place}: {error}"));
    }
    Refusal::bad_field(&place, &field, &error.to_string())
}

/// `application/json` or `application/*+json`, in no other charset than UTF-8; nothing is JSON.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    let Some(value) = content_type.map(str::trim).filter(|value| !value.is_empty()) else { return true };
    if value.eq_ignore_ascii_case("application/json") {
        return true;
    }
    is_utf8_of(value, |subtype| {
        let suffix = subtype.len().checked_sub(5).and_then(|at| subtype.get(at..));
        subtype.eq_ignore_ascii_case("json") || suffix.is_some_and(|s| s.eq_ignore_ascii_case("+json"))
    })
}

/// JSON texts, one to a line: there is no registered type, these are what is in use.
pub(super) fn is_lines(content_type: &str) -> bool {
    const NAMES: [&str; 4] = ["x-ndjson", "ndjson", "jsonl", "x-jsonlines"];
    is_utf8_of(content_type.trim(), |subtype| NAMES.iter().any(|name| subtype.eq_ignore_ascii_case(name)))
}

/// `application/` and a subtype that is wanted, in no other charset than UTF-8.
fn is_utf8_of(value: &str, wanted: impl FnOnce(&str) -> bool) -> bool {
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim_end();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    kind.eq_ignore_ascii_case("application") && wanted(subtype) && parts.all(utf8)
}
