//! The parts of a limit: conditions, other quotas, classes, costs.

use super::quota::{self, Given};
use super::{Sources, key, percent};
use crate::fields::{Context, Fields};
use crate::value;
use crate::yaml::{Entry, Kind, Node};
use tidegate_limit::rules::{Class, Condition, Cost, Matcher, Override, Quota};

/// `when`, a mapping from what is looked at to what it must be.
pub(super) fn conditions(node: &Node, sources: &mut Sources, cx: &mut Context) -> Vec<Condition> {
    let Some(fields) = Fields::of(node, "`when`", cx) else { return Vec::new() };
    let found = fields.entries().iter().filter_map(|entry| condition(entry, sources, cx));
    found.collect()
}

fn condition(entry: &Entry, sources: &mut Sources, cx: &mut Context) -> Option<Condition> {
    let source = match key::source(&entry.key) {
        Ok(source) => source,
        Err(wrong) => {
            let message = format!("`{}` is not {}", crate::fields::shortened(&entry.key), wrong.expected);
            cx.error_with(entry.key_span, message, |d| d.label(wrong.hint));
            return None;
        }
    };
    sources.push((source.clone(), entry.key_span));
    Some(Condition { source, matcher: matcher(&entry.key, &entry.value, cx)? })
}

/// A text, `{ prefix: … }` or `{ present: true }`.
fn matcher(key: &str, node: &Node, cx: &mut Context) -> Option<Matcher> {
    match &node.kind {
        Kind::Scalar(text) => return Some(Matcher::Exact(text.clone())),
        Kind::Map(_) => {}
        _ => {
            cx.wrong_kind(&format!("`{}`", crate::fields::shortened(key)), node, "a text, or how to match one");
            return None;
        }
    }
    let mut fields = Fields::of(node, "a match of a value", cx)?;
    let (span, given) = (fields.span(), fields.entries().len());
    let prefix = fields.optional("prefix", cx, value::text);
    let present = fields.optional("present", cx, value::boolean);
    fields.finish(cx);
    match (prefix, present) {
        (Some(prefix), None) if given == 1 => Some(Matcher::Prefix(prefix.value)),
        (None, Some(present)) if given == 1 && present.value => Some(Matcher::Present),
        _ => {
            cx.error_with(span, "a match of a value has one key", |d| {
                d.help("write a text, `{ prefix: … }` or `{ present: true }`")
            });
            None
        }
    }
}

/// `overrides`: by the value of a key that has one part, `{ acme: { rate: 1000/s } }`, else a list of
/// `{ key: [acme, "*"], rate: 1000/s }`.
pub(super) fn overrides(node: &Node, parts: usize, of: Option<&Given>, cx: &mut Context) -> Vec<Override> {
    let mut found = Vec::new();
    match &node.kind {
        Kind::Map(entries) if parts == 1 => {
            for entry in entries {
                let quota = quota(&entry.value, None, of, cx);
                found.extend(quota.map(|(_, quota)| Override { values: vec![entry.key.clone()], quota }));
            }
        }
        Kind::List(items) if parts > 0 => {
            for item in items {
                let quota = quota(item, Some(parts), of, cx);
                found.extend(quota.map(|(values, quota)| Override { values, quota }));
            }
        }
        _ if parts == 0 => cx.error(node.span, "`overrides` needs `key`: without one there is one budget for all"),
        _ => {
            let hint = "a key of several parts has a list: `[{ key: [acme, GET], rate: 10/s }]`";
            cx.error_with(node.span, "`overrides` must name every part of the key", |d| d.label(hint));
        }
    }
    found
}

/// What somebody gets; with the values of so many parts, if they stand here.
fn quota(node: &Node, parts: Option<usize>, of: Option<&Given>, cx: &mut Context) -> Option<(Vec<String>, Quota)> {
    if let (Kind::Scalar(text), None) = (&node.kind, parts)
        && text == "unlimited"
    {
        return Some((Vec::new(), Quota::Unlimited));
    }
    let mut fields = Fields::of(node, "an override", cx)?;
    let mut values = Vec::new();
    if let Some(parts) = parts {
        let node = fields.required_node("key", cx)?;
        values = cx.scalars("key", node, value::text)?.into_iter().map(|value| value.value).collect();
        if values.len() != parts {
            cx.error(node.span, format!("this override has {} values for {parts} parts of the key", values.len()));
            return None;
        }
    }
    let unlimited = fields.optional("unlimited", cx, value::boolean).is_some_and(|flag| flag.value);
    if unlimited {
        fields.finish(cx);
        return Some((values, Quota::Unlimited));
    }
    // Without a word for the algorithm there is an error already.
    let algorithm = of.and_then(|of| quota::read(&mut fields, of.word, cx));
    fields.finish(cx);
    Some((values, Quota::Limited(algorithm?)))
}

/// `classes`: the most important first, each with who belongs to it and what is kept for it.
pub(super) fn classes(node: &Node, sources: &mut Sources, cx: &mut Context) -> Vec<Class> {
    let Some(names) = Fields::of(node, "`classes`", cx) else { return Vec::new() };
    let entries = names.entries().iter();
    entries.filter_map(|entry| class(entry, sources, cx)).collect()
}

fn class(entry: &Entry, sources: &mut Sources, cx: &mut Context) -> Option<Class> {
    if let Err(wrong) = value::name(&entry.key) {
        cx.error_with(entry.key_span, format!("`{}` cannot name a class", entry.key), |d| d.label(wrong.hint));
    }
    let mut fields = Fields::of(&entry.value, "a class", cx)?;
    let reserved = fields.required("reserved", cx, percent);
    let when_span = fields.key_span("when");
    let when = fields.required_node("when", cx).map(|node| conditions(node, sources, cx));
    fields.finish(cx);
    let mut when = when?;
    if when.len() != 1 {
        cx.error(when_span, "`when` of a class has one condition");
        return None;
    }
    Some(Class { name: entry.key.clone(), when: when.pop()?, reserved: reserved?.value })
}

/// `cost`: a number, or `{ value: field:amount, times: 1, otherwise: 1 }`.
pub(super) fn cost(node: &Node, of: Option<&Given>, sources: &mut Sources, cx: &mut Context) -> Option<Cost> {
    if let Kind::Scalar(_) = &node.kind {
        let cost = cx.scalar("cost", node, quota::units)?;
        let fits = of.is_none_or(|of| quota::fits(&cost, of, cx));
        return fits.then_some(Cost::Constant(cost.value));
    }
    let mut fields = Fields::of(node, "`cost`", cx)?;
    let source = fields.required("value", cx, key::source);
    let times = fields.optional("times", cx, quota::units);
    let otherwise = fields.optional("otherwise", cx, quota::units);
    fields.finish(cx);
    let source = source?;
    sources.push((source.value.clone(), source.span));
    let (times, otherwise) = (times.map_or(1, |times| times.value), otherwise.map_or(1, |otherwise| otherwise.value));
    Some(Cost::Value { source: source.value, times, otherwise })
}
