//! `retry`, `concurrency` and `priority`: what is done about calls that fail, and about too many.

use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Kind, Node};
use http::StatusCode;
use std::time::Duration;
use tidegate_gateway::config::{Listener, Priority, PriorityHeader, Protection, Resilience};
use tidegate_traffic::bulkhead::{self, Limit};
use tidegate_traffic::priority::{Class, Shares};
use tidegate_traffic::retry::{Conditions, Settings};
use tidegate_traffic::{Share, gradient};
use tidegate_transcode::Code;

/// Calls that wait under a limit that is found, where nothing is said.
const ADAPTIVE_QUEUE: u32 = 10;

const CLASSES: [(&str, Class); 4] =
    [("low", Class::Low), ("normal", Class::Normal), ("high", Class::High), ("critical", Class::Critical)];

/// One of those that `on` lists.
enum Condition {
    Connect,
    Reset,
    Timeout,
    Unavailable,
    Code(u8),
    Status(u16),
}

/// What a route says. `timeout` is that of the route.
pub(super) fn of_route(
    fields: &mut Fields<'_>,
    timeout: Option<Duration>,
    listeners: &[Listener],
    cx: &mut Context,
) -> Resilience {
    let retry = fields.node("retry", cx).and_then(|node| retry(node, timeout, cx));
    let concurrency = fields.node("concurrency", cx).and_then(|node| concurrency(node, cx));
    let priority = fields.node("priority", cx).and_then(|node| priority(node, listeners, cx));
    Resilience { retry, concurrency, priority }
}

/// What an upstream says.
pub(super) fn of_upstream(fields: &mut Fields<'_>, cx: &mut Context) -> Protection {
    let usual = Protection::default();
    let budget = fields.optional("retry_budget", cx, value::share);
    if let Some(budget) = budget.as_ref().filter(|budget| budget.value == Share::NONE) {
        cx.error_with(budget.span, "`retry_budget` is more than `0%`", |d| {
            d.help("to retry nothing, give the routes no `retry`")
        });
    }
    let concurrency = fields.node("concurrency", cx).and_then(|node| concurrency(node, cx));
    Protection { retry_budget: budget.map_or(usual.retry_budget, |budget| budget.value), concurrency }
}

// === retry ===

fn retry(node: &Node, timeout: Option<Duration>, cx: &mut Context) -> Option<Settings> {
    let mut fields = Fields::of(node, "`retry`", cx)?;
    let usual = Settings::default();
    let attempts = fields.optional("attempts", cx, value::count);
    let per_try = fields.optional("per_try_timeout", cx, value::duration);
    let idempotent = fields.optional("idempotent", cx, value::boolean);
    let on = fields.node("on", cx).map(|node| conditions(node, cx));
    let spans = ["attempts", "per_try_timeout"].map(|key| (key, fields.key_span(key)));
    let mut pauses = (usual.base, usual.max, fields.span(), fields.span());
    if let Some(node) = fields.node("backoff", cx) {
        pauses = backoff(node, &usual, cx)?;
    }
    fields.finish(cx);
    if let Some((per_try, timeout)) = per_try.as_ref().zip(timeout).filter(|(own, all)| own.value > *all) {
        let message = format!("`per_try_timeout` is longer than the route's `timeout` of {timeout:?}");
        cx.error_with(per_try.span, message, |d| d.label("no try would have that long"));
        return None;
    }
    let (base, max, base_span, max_span) = pauses;
    let settings = Settings {
        attempts: attempts.map_or(usual.attempts, |count| u32::try_from(count.value).unwrap_or(u32::MAX)),
        per_try_timeout: per_try.map(|timeout| timeout.value),
        base,
        max,
        on: on.unwrap_or(Some(usual.on))?,
        idempotent: idempotent.is_some_and(|idempotent| idempotent.value),
    };
    if let Err(error) = settings.check() {
        let keys = spans.into_iter().chain([("base", base_span), ("max", max_span)]);
        let span = keys.into_iter().find(|(key, _)| *key == error.setting()).map_or(base_span, |(_, span)| span);
        cx.error(span, error.to_string());
        return None;
    }
    Some(settings)
}

/// Both pauses, and their places.
fn backoff(node: &Node, usual: &Settings, cx: &mut Context) -> Option<(Duration, Duration, Span, Span)> {
    let mut fields = Fields::of(node, "`backoff`", cx)?;
    let base = fields.optional("base", cx, value::duration);
    let max = fields.optional("max", cx, value::duration);
    let (base_span, max_span) = (fields.key_span("base"), fields.key_span("max"));
    fields.finish(cx);
    let base = base.map_or(usual.base, |base| base.value);
    let max = max.map_or(usual.max.max(base), |max| max.value);
    Some((base, max, base_span, max_span))
}

fn conditions(node: &Node, cx: &mut Context) -> Option<Conditions> {
    let all = cx.scalars("on", node, condition)?;
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        cx.error(node.span, "`on` is empty: nothing would be tried again");
        return None;
    }
    let mut on = Conditions::NONE;
    for Located { value, .. } in all {
        match value {
            Condition::Connect => on.connect = true,
            Condition::Reset => on.reset = true,
            Condition::Timeout => on.timeout = true,
            Condition::Unavailable => on.unavailable = true,
            Condition::Code(code) => on.codes |= 1 << code,
            Condition::Status(status) => on.statuses.push(status),
        }
    }
    Some(on)
}

fn condition(text: &str) -> Result<Condition, Wrong> {
    let named = [
        ("connect", Condition::Connect),
        ("reset", Condition::Reset),
        ("timeout", Condition::Timeout),
        ("unavailable", Condition::Unavailable),
    ];
    if let Some((_, condition)) = named.into_iter().find(|(name, _)| *name == text) {
        return Ok(condition);
    }
    if let Some(code) = (1..=16u8).find(|code| Code::from_u32((*code).into()).name() == text) {
        return Ok(Condition::Code(code));
    }
    match text.parse::<u16>().ok().filter(|status| (400..600).contains(status)).map(StatusCode::from_u16) {
        Some(Ok(status)) => Ok(Condition::Status(status.as_u16())),
        _ => Err(wrong(
            "a failure",
            "`connect`, `reset`, `timeout`, `unavailable`, a gRPC code as `ABORTED`, or a status from `400` to `599`",
        )),
    }
}

// === concurrency ===

fn concurrency(node: &Node, cx: &mut Context) -> Option<bulkhead::Settings> {
    let mut fields = Fields::of(node, "`concurrency`", cx)?;
    let usual = gradient::Settings::default();
    let number = |fields: &mut Fields<'_>, key, cx: &mut Context| {
        fields.optional(key, cx, value::count).map(|count| u32::try_from(count.value).unwrap_or(u32::MAX))
    };
    let adaptive = fields.optional("adaptive", cx, switched_on).is_some();
    let max = number(&mut fields, "max", cx);
    let min = number(&mut fields, "min", cx);
    let queue = fields.optional("queue", cx, places).map(|queue| queue.value);
    let wait = fields.optional("wait", cx, value::duration);
    let whole = fields.span();
    let has = |key: &str| fields.entries().iter().any(|entry| entry.key == key);
    let keys = ["max", "min", "queue", "wait"].map(|key| (key, fields.key_span(key)));
    let span_of = |key: &str| keys.iter().find(|(known, _)| *known == key).map_or(whole, |(_, span)| *span);
    let (has_max, has_min, has_adaptive) = (has("max"), has("min"), has("adaptive"));
    fields.finish(cx);
    if !has_max && !has_adaptive {
        cx.error(whole, "`concurrency` needs `max`, or `adaptive: true`");
        return None;
    }
    if has_min && !has_adaptive {
        cx.error(span_of("min"), "`min` is for a limit that is `adaptive`");
        return None;
    }
    let limit = if adaptive {
        let (min, max) = (min.unwrap_or(usual.min.min(max.unwrap_or(u32::MAX))), max.unwrap_or(usual.max));
        Limit::Adaptive(gradient::Settings { min, max: max.max(if has_max { 0 } else { min }), ..usual })
    } else {
        Limit::Fixed(max?)
    };
    let settings = bulkhead::Settings {
        limit,
        queue: queue.unwrap_or(if adaptive { ADAPTIVE_QUEUE } else { 0 }),
        wait: wait.map_or(bulkhead::Settings::DEFAULT_WAIT, |wait| wait.value),
        shares: Shares::EVEN,
    };
    match settings.check() {
        Ok(()) => Some(settings),
        Err(error) => {
            cx.error(span_of(error.setting()), error.to_string());
            None
        }
    }
}

/// `0` is no queue.
fn places(text: &str) -> Result<u32, Wrong> {
    let most = bulkhead::Settings::QUEUE_MAX;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(value) if plain && value <= most => Ok(value),
        _ => Err(wrong("a number", format!("from `0`, which is no queue, to `{most}`"))),
    }
}

fn switched_on(text: &str) -> Result<(), Wrong> {
    let hint = if text == "false" { "remove the key" } else { "for example `{ adaptive: true }`" };
    (text == "true").then_some(()).ok_or_else(|| wrong("`true`", hint))
}

fn wrong(expected: &'static str, hint: impl Into<String>) -> Wrong {
    Wrong { expected, hint: hint.into() }
}

// === priority ===

/// A class, or a header that says it.
fn priority(node: &Node, listeners: &[Listener], cx: &mut Context) -> Option<Priority> {
    if let Kind::Scalar(_) = &node.kind {
        return cx.word("priority", node, &CLASSES).map(|class| Priority { class, header: None });
    }
    let mut fields = Fields::of(node, "`priority`", cx)?;
    let class = fields.word("default", cx, &CLASSES).unwrap_or_default();
    let name = fields.required("header", cx, value::header_name);
    let values = match fields.node("values", cx) {
        Some(node) => values(node, cx)?,
        None => CLASSES.iter().map(|(word, class)| ((*word).to_owned(), *class)).collect(),
    };
    fields.finish(cx);
    let name = name?;
    if listeners.iter().all(|listener| listener.trust.peers.is_empty()) {
        let message = format!("nobody is believed what `{}` says: no listener has `trusted_peers`", name.value);
        cx.warn_with(name.span, message, |d| d.label("all requests have the `default`"));
    }
    Some(Priority { class, header: Some(PriorityHeader { name: name.value, values }) })
}

fn values(node: &Node, cx: &mut Context) -> Option<Vec<(String, Class)>> {
    let entries = Fields::of(node, "`values`", cx)?.entries();
    if entries.is_empty() {
        cx.error(node.span, "`values` is empty: the header would say nothing");
    }
    entries.iter().map(|entry| Some((entry.key.clone(), cx.word(&entry.key, &entry.value, &CLASSES)?))).collect()
}
