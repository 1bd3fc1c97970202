//! A span.

use super::{key_value, nanos};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::{Event as Message, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as proto, Status};
use tidegate_observe::span::{Attribute, Event, Kind, Outcome, Span, Value};

/// The trace flag "sampled" of W3C trace context.
const SAMPLED: u32 = 0x01;
/// It is known whether the parent is of another process, and it is (`SpanFlags`).
const KNOWN_REMOTE: u32 = 0x100;
const REMOTE: u32 = 0x200;

pub(super) fn span(span: &Span) -> proto::Span {
    let remote = span.parent.is_some_and(|parent| parent.remote);
    proto::Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        parent_span_id: span.parent.map(|parent| parent.span_id.to_vec()).unwrap_or_default(),
        flags: if span.sampled { SAMPLED } else { 0 } | KNOWN_REMOTE | if remote { REMOTE } else { 0 },
        name: span.name.to_string(),
        kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Internal => SpanKind::Internal,
        } as i32,
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        status: match &span.outcome {
            Outcome::Unset => None,
            Outcome::Error(why) => Some(Status { message: why.to_string(), code: StatusCode::Error as i32 }),
        },
        ..proto::Span::default()
    }
}

fn event(event: &Event) -> Message {
    Message {
        time_unix_nano: nanos(event.at),
        name: event.name.to_string(),
        attributes: attributes(&event.attributes),
        dropped_attributes_count: 0,
    }
}

fn attributes(attributes: &[Attribute]) -> Vec<KeyValue> {
    let value = |value: &Value| match value {
        Value::Text(text) => any_value::Value::StringValue(text.to_string()),
        Value::Int(number) => any_value::Value::IntValue(*number),
        Value::Bool(yes) => any_value::Value::BoolValue(*yes),
    };
    attributes.iter().map(|(name, of)| key_value(name, value(of))).collect()
}
