//! `balance`, `slow_start`, `health` and `outlier` of an upstream: which endpoint takes a call.

use super::limits::take;
use crate::fields::{Context, Fields};
use crate::value::{self, Wrong};
use crate::yaml::{Kind, Node};
use std::time::Duration;
use tidegate_traffic::balance::Policy;
use tidegate_traffic::health;
use tidegate_traffic::outlier::{Settings, SuccessRate};
use tidegate_traffic::{Split, SplitKey};
use tidegate_upstream::{Check, Config, Protocol, Question};

/// Keys whose values [`Settings::check`] looks at.
const CHECKED: [&str; 5] = ["max_ejected", "ejection", "ejection_max", "interval", "slow"];

/// More often than this helps nobody, and is a load of its own.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Takes the keys of an upstream into its pool.
pub(super) fn read(fields: &mut Fields<'_>, pool: &mut Config, cx: &mut Context) {
    if let Some(policy) = fields.node("balance", cx).and_then(|node| policy(node, cx)) {
        pool.balance = policy;
    }
    let slow_start = fields.optional("slow_start", cx, value::duration);
    if let (Some(slow_start), Policy::RingHash { .. }) = (&slow_start, &pool.balance) {
        cx.error(
            slow_start.span,
            "`slow_start` does nothing with `ring_hash`: a value has one endpoint from the first call",
        );
    }
    take(&mut pool.slow_start, slow_start);
    pool.health = fields.node("health", cx).and_then(|node| check(node, pool.protocol, cx));
    if let Some(node) = fields.node("outlier", cx) {
        pool.outlier = outlier(node, cx);
    }
}

// === balance ===

fn policy(node: &Node, cx: &mut Context) -> Option<Policy> {
    let Kind::Map(_) = &node.kind else {
        let words = [("least_request", 0), ("peak_ewma", 1), ("round_robin", 2), ("ring_hash", 3)];
        return match cx.word("balance", node, &words)? {
            0 => Some(Policy::LeastRequest),
            1 => Some(Policy::PeakEwma),
            2 => Some(Policy::RoundRobin),
            _ => {
                cx.error_with(node.span, "`ring_hash` needs `header` or `cookie`: what stays at one endpoint", |d| {
                    d.help("write `balance: { ring_hash: { header: x-user-id } }`")
                });
                None
            }
        };
    };
    let mut fields = Fields::of(node, "`balance`", cx)?;
    let ring = fields.required_node("ring_hash", cx).and_then(|node| ring(node, cx));
    fields.finish(cx);
    ring
}

fn ring(node: &Node, cx: &mut Context) -> Option<Policy> {
    let mut fields = Fields::of(node, "`ring_hash`", cx)?;
    let span = fields.span();
    let has = |key: &str| fields.entries().iter().any(|entry| entry.key == key);
    let both = (has("header"), has("cookie"));
    let second = fields.key_span("cookie");
    let header = fields.optional("header", cx, value::header_name);
    let cookie = fields.optional("cookie", cx, value::cookie_name);
    let bound = fields.optional("bounded_load", cx, bound).map(|bound| bound.value);
    fields.finish(cx);
    match both {
        (true, true) => cx.error(second, "`ring_hash` has both `header` and `cookie`"),
        (false, false) => cx.error(span, "`ring_hash` needs `header` or `cookie`: what stays at one endpoint"),
        _ => {}
    }
    let key = match (header, cookie) {
        (Some(header), None) => SplitKey::Header(header.value),
        (None, Some(cookie)) => SplitKey::Cookie(cookie.value),
        _ => return None,
    };
    Some(Policy::RingHash { split: Split { key, salt: String::new() }, bound })
}

/// More than 100 %.
fn bound(text: &str) -> Result<u32, Wrong> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
    percent
        .filter(|percent| (101..=1000).contains(percent))
        .ok_or_else(|| Wrong::new("a percentage of the mean load", "from `101%` to `1000%`, for example `125%`"))
}

// === health ===

fn check(node: &Node, protocol: Protocol, cx: &mut Context) -> Option<Check> {
    let mut fields = Fields::of(node, "`health`", cx)?;
    let span = fields.span();
    let has = |key: &str| fields.entries().iter().any(|entry| entry.key == key);
    let both = (has("http"), has("grpc"));
    let second = fields.key_span("grpc");
    let http = fields.optional("http", cx, value::normal_path);
    let grpc = fields.optional("grpc", cx, service_or_all);
    let mut settings = health::Settings::default();
    let interval = fields.optional("interval", cx, value::duration);
    if let Some(interval) = interval.as_ref().filter(|interval| interval.value < INTERVAL_MIN) {
        cx.error(interval.span, "`interval` must be at least 100ms");
    }
    take(&mut settings.interval, interval);
    take(&mut settings.timeout, fields.optional("timeout", cx, value::duration));
    for (key, place) in [("unhealthy", &mut settings.unhealthy), ("healthy", &mut settings.healthy)] {
        if let Some(count) = fields.optional(key, cx, value::count) {
            *place = u32::try_from(count.value).unwrap_or(u32::MAX);
        }
    }
    fields.finish(cx);
    match both {
        (true, true) => cx.error(second, "`health` has both `http` and `grpc`"),
        (false, false) => cx.error(span, "`health` needs `http` (a path) or `grpc` (a service): what is asked"),
        _ => {}
    }
    if let Some(grpc) = &grpc
        && protocol == Protocol::H1
    {
        cx.error_with(grpc.span, "gRPC's health protocol needs HTTP/2, which this upstream does not speak", |d| {
            d.help("say `protocol: h2` if it does, or ask by `http`")
        });
    }
    let question = match (http, grpc) {
        (Some(path), None) => Question::Http(path.value),
        (None, Some(service)) => Question::Grpc(service.value),
        _ => return None,
    };
    Some(Check { question, settings })
}

/// A service; empty is the server as a whole.
fn service_or_all(text: &str) -> Result<String, Wrong> {
    if text.is_empty() { Ok(String::new()) } else { value::service(text) }
}

// === outlier ===

/// `off`, or how it is done.
fn outlier(node: &Node, cx: &mut Context) -> Option<Settings> {
    if let Kind::Scalar(_) = &node.kind {
        cx.scalar("outlier", node, switched_off);
        return None;
    }
    let mut settings = Settings::default();
    let mut fields = Fields::of(node, "`outlier`", cx)?;
    take(&mut settings.consecutive_errors, fields.optional("consecutive_errors", cx, count_or_off));
    take(&mut settings.consecutive_gateway_errors, fields.optional("consecutive_gateway_errors", cx, count_or_off));
    take(&mut settings.slow, fields.optional("slow", cx, count_or_off));
    if let Some(node) = fields.node("success_rate", cx) {
        settings.success_rate = success_rate(node, cx);
    }
    take(&mut settings.interval, fields.optional("interval", cx, value::duration));
    take(&mut settings.ejection, fields.optional("ejection", cx, value::duration));
    let longest = settings.ejection.max(settings.ejection_max);
    settings.ejection_max = fields.optional("ejection_max", cx, value::duration).map_or(longest, |most| most.value);
    take(&mut settings.max_ejected, fields.optional("max_ejected", cx, value::share));
    let places = CHECKED.map(|key| (key, fields.key_span(key)));
    let whole = fields.span();
    fields.finish(cx);
    if let Err(error) = settings.check() {
        let place = places.iter().find(|(key, _)| *key == error.setting()).map_or(whole, |(_, span)| *span);
        cx.error(place, error.to_string());
        return None;
    }
    Some(settings)
}

fn success_rate(node: &Node, cx: &mut Context) -> Option<SuccessRate> {
    if let Kind::Scalar(_) = &node.kind {
        cx.scalar("success_rate", node, switched_off);
        return None;
    }
    let mut rate = SuccessRate::default();
    let mut fields = Fields::of(node, "`success_rate`", cx)?;
    take(&mut rate.deviations, fields.optional("deviations", cx, value::ratio));
    for (key, place) in [("min_endpoints", &mut rate.min_endpoints), ("min_calls", &mut rate.min_calls)] {
        if let Some(count) = fields.optional(key, cx, value::count) {
            *place = u32::try_from(count.value).unwrap_or(u32::MAX);
        }
    }
    fields.finish(cx);
    Some(rate)
}

fn switched_off(text: &str) -> Result<(), Wrong> {
    (text == "off").then_some(()).ok_or_else(|| Wrong::new("`off` or a mapping", "for example `{ ejection: 30s }`"))
}

fn count_or_off(text: &str) -> Result<Option<u32>, Wrong> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = |_| Wrong::new("a number of at least 1, or `off`", "for example `5`");
    value::count(text).map(|count| Some(u32::try_from(count).unwrap_or(u32::MAX))).map_err(wrong)
}
