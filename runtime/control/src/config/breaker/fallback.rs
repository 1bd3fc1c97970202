//! `fallback` of a breaker: what is answered in place of the calls that it keeps away.

use super::Of;
use crate::config::upstreams::Declared;
use crate::config::{forward, routes};
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Entry, Kind, Node};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Number, Value};
use std::sync::Arc;
use tidegate_gateway::config::{Fallback, FallbackAnswer};
use tidegate_upstream::Protocol;

/// The fallback of a breaker, if one is given.
pub(super) fn read(fields: &mut Fields<'_>, of: &Of<'_>, cx: &mut Context) -> Option<Fallback> {
    let node = fields.node("fallback", cx)?;
    let mut fields = Fields::of(node, "`fallback`", cx)?;
    let span = fields.span();
    let status = fields.optional("status", cx, status);
    let body = fields.node("body", cx);
    let header_node = fields.node("headers", cx);
    let method_node = fields.node("methods", cx);
    let upstream = fields.optional("upstream", cx, value::text);
    let places = ["status", "body", "headers", "methods", "upstream"].map(|key| (key, fields.key_span(key)));
    let given: Vec<&str> = fields.entries().iter().map(|entry| entry.key.as_str()).collect();
    fields.finish(cx);
    let place_of = |key: &str| places.iter().find(|(known, _)| *known == key).map_or(span, |(_, place)| *place);
    if given.contains(&"upstream") {
        let upstream = upstream?;
        if let Some((key, place)) = places.iter().find(|(key, _)| *key != "upstream" && given.contains(key)) {
            cx.error(*place, format!("`fallback` has both `upstream` and `{key}`"));
        }
        return check_upstream(&upstream, of, cx).then_some(Fallback::Upstream(upstream.value));
    }
    let Some(body) = body else {
        for key in ["headers", "methods"].into_iter().filter(|key| given.contains(key)) {
            cx.error(place_of(key), format!("`{key}` of a fallback needs `body`"));
        }
        let said = given.contains(&"body") || given.contains(&"status");
        return refusal(status, span, said, cx);
    };
    if method_node.is_some() && !of.calls_services {
        cx.error(place_of("methods"), "`methods` of a fallback is for routes with a `service`");
    }
    if let Some(wrong) = status.as_ref().filter(|status| of.calls_services && !status.value.is_success()) {
        cx.error_with(wrong.span, "an answer with a body is a message, which only success has", |d| {
            d.label("write a status from `200` to `299`, or leave the body away")
        });
    }
    let headers = header_node.map(|node| headers(node, cx)).unwrap_or_default();
    let methods = method_node.and_then(|node| cx.scalars("methods", node, value::text));
    let methods = methods.into_iter().flatten().map(|name| (name.value, name.span.place())).collect();
    Some(Fallback::Answer(Arc::new(FallbackAnswer {
        status: status.map_or(StatusCode::OK, |status| status.value),
        headers,
        body: json(body)?.to_string(),
        methods,
        place: body.span.place(),
    })))
}

/// An error with another status.
fn refusal(status: Option<Located<StatusCode>>, whole: Span, said: bool, cx: &mut Context) -> Option<Fallback> {
    match status {
        Some(status) if status.value.as_u16() >= 400 => Some(Fallback::Refuse(status.value)),
        Some(status) => {
            cx.error(status.span, "a fallback that is no error needs a `body`");
            None
        }
        None => {
            if !said {
                cx.error(whole, "`fallback` needs `status`, `body` or `upstream`");
            }
            None
        }
    }
}

fn status(text: &str) -> Result<StatusCode, Wrong> {
    let wrong = || Wrong { expected: "an HTTP status", hint: "from `200` to `599`".into() };
    match text.parse::<u16>() {
        Ok(code @ 200..=599) => StatusCode::from_u16(code).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// It must exist, take what it gets, and be none of those that it stands in for: those would be called again
/// although they are not to be called.
fn check_upstream(name: &Located<String>, of: &Of<'_>, cx: &mut Context) -> bool {
    let Some(other) = routes::check_exists(name, of.upstreams, cx) else { return false };
    if of.upstream == Some(&*name.value) || of.canary.iter().any(|rule| rule.to == name.value) {
        let message = format!("the fallback leads back to `{}`, whose calls it stands in for", name.value);
        cx.error_with(name.span, message, |d| d.label("this is a loop: name another upstream"));
        return false;
    }
    let protocol = |declared: &Declared| declared.config.as_ref().map(|config| config.pool.protocol);
    let own = of.upstreams.iter().find(|known| Some(&*known.name) == of.upstream).and_then(protocol);
    let wanted = if of.calls_services { Some(Protocol::H2) } else { own };
    if let (Some(wanted), Some(found)) = (wanted, protocol(other))
        && wanted != found
    {
        let source = cx.source.clone();
        let word = |protocol| if protocol == Protocol::H1 { "HTTP/1.1" } else { "HTTP/2" };
        let message =
            format!("the upstream `{}` speaks {}, and what it stands in for {}", name.value, word(found), word(wanted));
        cx.error_with(name.span, message, |d| d.related(&source, other.name_span, "declared here"));
        return false;
    }
    true
}

fn headers(node: &Node, cx: &mut Context) -> Vec<(HeaderName, HeaderValue)> {
    let Some(fields) = Fields::of(node, "`headers`", cx) else { return Vec::new() };
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for Entry { key, key_span, value } in fields.entries() {
        let name = match forward::edited_name(key) {
            Ok(name) => name,
            Err(wrong) => {
                let message = format!("`{key}` must be {}", wrong.expected);
                cx.error_with(*key_span, message, |d| d.label(wrong.hint));
                continue;
            }
        };
        if headers.iter().any(|(other, _)| *other == name) {
            cx.error(*key_span, format!("header `{name}` is given twice"));
            continue;
        }
        let read = cx.scalar(key, value, |text| {
            HeaderValue::from_str(text)
                .map_err(|_| Wrong { expected: "the value of a header", hint: "it must be visible characters".into() })
        });
        headers.extend(read.map(|value| (name, value.value)));
    }
    headers
}

/// What YAML says, as JSON. Of scalars only what has no quotes is a number or a boolean.
fn json(node: &Node) -> Option<Value> {
    Some(match &node.kind {
        Kind::Null => Value::Null,
        // That was reported.
        Kind::Unknown => return None,
        Kind::Scalar(text) if node.bare => bare(text),
        Kind::Scalar(text) => text.as_str().into(),
        Kind::List(items) => Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        Kind::Map(entries) => {
            let member = |entry: &Entry| Some((entry.key.clone(), json(&entry.value)?));
            Value::Object(entries.iter().map(member).collect::<Option<Map<_, _>>>()?)
        }
    })
}

/// A number or a boolean, as YAML has it; what JSON cannot say stays a text.
fn bare(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => serde_json::from_str::<Number>(text).map_or_else(|_| text.into(), Value::Number),
    }
}
