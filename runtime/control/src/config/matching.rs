//! What a request must have: `methods`, `headers`, `query`, and the `header` of a canary rule.

use crate::fields::{Context, Fields};
use crate::value;
use crate::yaml::{Kind, Node};
use http::{HeaderName, Method};
use tidegate_traffic::{Conditions, ValueMatch};

/// `methods`, `headers` and `query` of a route.
pub(super) fn conditions(fields: &mut Fields<'_>, cx: &mut Context) -> Conditions {
    let methods = fields.node("methods", cx).map(|node| methods(node, cx)).unwrap_or_default();
    let headers = fields.node("headers", cx).map(|node| headers("headers", node, cx)).unwrap_or_default();
    let query = fields.node("query", cx).map(|node| query(node, cx)).unwrap_or_default();
    Conditions { methods, headers, query }
}

fn methods(node: &Node, cx: &mut Context) -> Vec<Method> {
    let Some(listed) = cx.scalars("methods", node, value::method) else { return Vec::new() };
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        cx.error_with(node.span, "`methods` is empty: no request would be taken", |d| {
            d.label("leave it away to take every method")
        });
    }
    let mut methods: Vec<Method> = Vec::new();
    for method in listed {
        if methods.contains(&method.value) {
            cx.error(method.span, format!("the method {} is listed twice", method.value));
        } else {
            methods.push(method.value);
        }
    }
    methods
}

/// A mapping from header names to what their values must be. `key` names it in messages.
pub(super) fn headers(key: &'static str, node: &Node, cx: &mut Context) -> Vec<(HeaderName, ValueMatch)> {
    // Native calls may have an underscore in a name, and canaries are for them too.
    let (what, read): (_, fn(&str) -> _) = match key {
        "header" => ("`header`", value::header_name),
        _ => ("`headers`", value::plain_header_name),
    };
    let Some(names) = Fields::of(node, what, cx) else { return Vec::new() };
    let mut headers: Vec<(HeaderName, ValueMatch)> = Vec::new();
    for entry in names.entries() {
        let value = value_match(&entry.key, &entry.value, cx);
        let name = match read(&entry.key) {
            Ok(name) => name,
            Err(wrong) => {
                let message = format!("`{}` is not {}", entry.key, wrong.expected);
                cx.error_with(entry.key_span, message, |d| d.label(wrong.hint));
                continue;
            }
        };
        if headers.iter().any(|(known, _)| *known == name) {
            cx.error(entry.key_span, format!("the header `{name}` is named twice, in another case"));
        } else if let Some(value) = value {
            headers.push((name, value));
        }
    }
    headers
}

fn query(node: &Node, cx: &mut Context) -> Vec<(String, ValueMatch)> {
    let Some(names) = Fields::of(node, "`query`", cx) else { return Vec::new() };
    let entries = names.entries().iter();
    entries.filter_map(|entry| Some((entry.key.clone(), value_match(&entry.key, &entry.value, cx)?))).collect()
}

/// A text, `{ prefix: … }`, `{ regex: … }` or `{ present: true }`.
fn value_match(key: &str, node: &Node, cx: &mut Context) -> Option<ValueMatch> {
    match &node.kind {
        Kind::Scalar(text) => return Some(ValueMatch::Exact(text.as_str().into())),
        Kind::Map(_) => {}
        _ => {
            cx.wrong_kind(&format!("`{}`", crate::fields::shortened(key)), node, "a text, or how to match one");
            return None;
        }
    }
    let mut fields = Fields::of(node, "a match of a value", cx)?;
    let span = fields.span();
    let exact = fields.node("exact", cx).and_then(|node| cx.scalar("exact", node, |text| Ok(text.to_owned())));
    let prefix = fields.optional("prefix", cx, value::text);
    let regex = fields.node("regex", cx).and_then(|node| regex(node, cx));
    let present = fields.node("present", cx).and_then(|node| present(node, cx));
    let given = fields.entries().len();
    fields.finish(cx);
    if given != 1 {
        cx.error_with(span, "a match of a value has one key", |d| {
            d.help("write a text, `{ prefix: … }`, `{ regex: … }` or `{ present: true }`")
        });
        return None;
    }
    let exact = exact.map(|text| ValueMatch::Exact(text.value.into()));
    let prefix = prefix.map(|text| ValueMatch::Prefix(text.value.into()));
    exact.or(prefix).or(regex).or(present)
}

fn regex(node: &Node, cx: &mut Context) -> Option<ValueMatch> {
    let text = cx.scalar("regex", node, value::text)?;
    match ValueMatch::regex(&text.value) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let message = format!("`regex` is no regular expression: {error}");
            cx.error_with(text.span, message, |d| d.help("it has to match the whole value; see docs/routing.md"));
            None
        }
    }
}

fn present(node: &Node, cx: &mut Context) -> Option<ValueMatch> {
    let present = cx.scalar("present", node, value::boolean)?;
    if !present.value {
        cx.error_with(present.span, "`present` can only be `true`", |d| {
            d.label("what must be absent cannot be asked for: put a route for what is present before this one")
        });
        return None;
    }
    Some(ValueMatch::Present)
}
