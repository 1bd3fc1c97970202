//! `routes[].transcoding`: how JSON, queries and bodies of a route are read and written.

use crate::fields::{Context, Fields};
use crate::value;
use tidegate_protojson::UnknownFields;
use tidegate_transcode::{Repeated, Strictness, TranscodeOptions};

const STRICTNESS: &[(&str, Strictness)] = &[("reject", Strictness::Reject), ("ignore", Strictness::Ignore)];
const REPEATED: &[(&str, Repeated)] = &[("reject", Repeated::Reject), ("last", Repeated::LastWins)];
const UNKNOWN_FIELDS: &[(&str, UnknownFields)] =
    &[("reject", UnknownFields::Reject), ("ignore", UnknownFields::Ignore)];

/// The options that a route's `transcoding` gives; what it does not say keeps its strict default.
pub(super) fn read(route: &mut Fields<'_>, cx: &mut Context) -> TranscodeOptions {
    let mut options = TranscodeOptions::default();
    let Some(node) = route.node("transcoding", cx) else { return options };
    let Some(mut fields) = Fields::of(node, "`transcoding`", cx) else { return options };
    for (key, place) in [
        ("unknown_query", &mut options.unknown_query),
        ("overlapping_query", &mut options.overlapping_query),
        ("query_beside_body", &mut options.query_beside_body),
        ("unexpected_body", &mut options.unexpected_body),
    ] {
        if let Some(strictness) = fields.word(key, cx, STRICTNESS) {
            *place = strictness;
        }
    }
    if let Some(repeated) = fields.word("repeated_query", cx, REPEATED) {
        options.repeated_query = repeated;
    }
    if let Some(unknown) = fields.word("unknown_fields", cx, UNKNOWN_FIELDS) {
        options.parse.unknown_fields = unknown;
    }
    for (key, place) in [
        ("proto_names", &mut options.print.proto_names),
        ("enum_numbers", &mut options.print.enum_numbers),
        ("emit_defaults", &mut options.print.emit_defaults),
        ("int64_numbers", &mut options.print.int64_numbers),
        ("pretty", &mut options.print.pretty),
    ] {
        if let Some(flag) = fields.optional(key, cx, value::boolean) {
            *place = flag.value;
        }
    }
    fields.finish(cx);
    options
}
