//! `metadata`: which request headers become gRPC metadata, under which names, and back.

use super::forward::templates;
use crate::fields::{Context, Fields};
use crate::value::{self, Wrong};
use crate::yaml::{Entry, Kind, Node};
use http::{HeaderName, HeaderValue};
use tidegate_gateway::config::{B3, Case, Mapping, MetadataPolicy, Preset};

/// The policy of the whole config.
pub(super) fn read(fields: &mut Fields<'_>, cx: &mut Context) -> MetadataPolicy {
    fields.node("metadata", cx).and_then(|node| policy(node, cx)).unwrap_or_default()
}

/// The policy of a route, if it has one of its own.
pub(super) fn of_route(fields: &mut Fields<'_>, cx: &mut Context) -> Option<MetadataPolicy> {
    fields.node("metadata", cx).and_then(|node| policy(node, cx))
}

fn policy(node: &Node, cx: &mut Context) -> Option<MetadataPolicy> {
    let mut fields = Fields::of(node, "`metadata`", cx)?;
    let allow = fields.node("allow", cx).and_then(|node| cx.scalars("allow", node, value::header_pattern));
    let map = fields.node("map", cx).map(|node| mappings(node, cx)).unwrap_or_default();
    let set_node = fields.node("set", cx);
    let set = set_node.map(|node| templates(node, "`set`", cx)).unwrap_or_default();
    let preset = fields.word("preset", cx, &[("grpc-gateway", Preset::GrpcGateway), ("envoy", Preset::Envoy)]);
    let b3 = fields.word("b3", cx, &[("single", B3::Single), ("multi", B3::Multi)]);
    fields.finish(cx);
    if let Some(node) = set_node {
        check_set(node, &set.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), &map, cx);
    }
    let allow = match (allow, preset) {
        (Some(names), _) => names.into_iter().map(|name| name.value).collect(),
        (None, Some(preset)) => preset.allow(),
        (None, None) => MetadataPolicy::allowed_by_default(),
    };
    Some(MetadataPolicy { allow, map, set, preset, b3 })
}

/// What is set cannot be mapped too, nor be what the protocol says.
fn check_set(node: &Node, set: &[HeaderName], map: &[Mapping], cx: &mut Context) {
    let Kind::Map(entries) = &node.kind else { return };
    for entry in entries {
        let Some(name) = set.iter().find(|name| entry.key.eq_ignore_ascii_case(name.as_str())) else { continue };
        if let Err(wrong) = key(&entry.key) {
            cx.error_with(entry.key_span, format!("`{name}` must be {}", wrong.expected), |d| d.label(wrong.hint));
        } else if map.iter().any(|mapping| mapping.metadata == *name) {
            cx.error_with(entry.key_span, format!("the metadata `{name}` is both mapped and set"), |d| {
                d.label("what is set takes the place of what is mapped: remove one of them")
            });
        }
    }
}

/// `{ header: key }`, or `{ header: { to: key, default: value, case: lower } }`
fn mappings(node: &Node, cx: &mut Context) -> Vec<Mapping> {
    let Some(fields) = Fields::of(node, "`map`", cx) else { return Vec::new() };
    let mut mappings: Vec<Mapping> = Vec::new();
    for entry in fields.entries() {
        let Some(mapping) = mapping(entry, cx) else { continue };
        let same = |other: &Mapping| other.header == mapping.header || other.metadata == mapping.metadata;
        if let Some(other) = mappings.iter().find(|other| same(other)) {
            let message = match other.header == mapping.header {
                true => format!("header `{}` is mapped twice", mapping.header),
                false => format!("two headers are mapped to the metadata `{}`", mapping.metadata),
            };
            cx.error(entry.key_span, message);
            continue;
        }
        mappings.push(mapping);
    }
    mappings
}

fn mapping(entry: &Entry, cx: &mut Context) -> Option<Mapping> {
    let header = match source(&entry.key) {
        Ok(header) => Some(header),
        Err(wrong) => {
            cx.error_with(entry.key_span, format!("`{}` must be {}", entry.key, wrong.expected), |d| {
                d.label(wrong.hint)
            });
            None
        }
    };
    if !matches!(entry.value.kind, Kind::Map(_)) {
        let metadata = cx.scalar(&entry.key, &entry.value, key)?.value;
        return Some(Mapping { header: header?, metadata, default: None, case: Case::AsItIs });
    }
    let mut fields = Fields::of(&entry.value, "a mapping", cx)?;
    let to = fields.required("to", cx, key);
    let default = fields.optional("default", cx, default_value);
    let case = fields.word("case", cx, &[("lower", Case::Lower), ("upper", Case::Upper)]);
    fields.finish(cx);
    let default = default.map(|default| default.value);
    Some(Mapping { header: header?, metadata: to?.value, default, case: case.unwrap_or_default() })
}

/// A header that can be mapped.
fn source(text: &str) -> Result<HeaderName, Wrong> {
    let name = value::header_name(text)?;
    let wrong = |hint: &str| Wrong { expected: "the name of a header that can be mapped", hint: hint.into() };
    match name.as_str() {
        name if name.contains('_') => Err(wrong("headers with `_` in their names are refused: write `-`")),
        "connection" | "content-length" | "content-type" | "host" | "te" | "traceparent" | "tracestate" | "baggage"
        | "transfer-encoding" | "upgrade" => Err(wrong("this one belongs to the protocol")),
        _ => Ok(name),
    }
}

/// A key of metadata that the config may write.
fn key(text: &str) -> Result<HeaderName, Wrong> {
    let wrong = |hint: &str| Wrong { expected: "a key of metadata", hint: hint.into() };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(fits) {
        return Err(wrong("letters, digits, `-`, `_` and `.`, for example `user_id`"));
    }
    let name = value::header_name(text)?;
    let reserved = ["content-type", "te", "user-agent", "x-request-id", "traceparent", "tracestate", "baggage", "host"];
    let text = name.as_str();
    if text.starts_with("grpc-") || reserved.contains(&text) {
        return Err(wrong("gRPC or the gateway says this one itself"));
    }
    if text.starts_with("tidegate-") || text.starts_with("x-forwarded-") {
        return Err(wrong("this one is the gateway's own"));
    }
    Ok(name)
}

fn default_value(text: &str) -> Result<HeaderValue, Wrong> {
    let wrong = || Wrong { expected: "a value of metadata", hint: "printable ASCII, and not empty".into() };
    let fits = !text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    HeaderValue::from_str(text).ok().filter(|_| fits).ok_or_else(wrong)
}
