//! `breaker`: when the calls of a route are not made any more.

mod fallback;

use super::upstreams::Declared;
use crate::diagnostics::Span;
use crate::fields::{Context, Fields};
use crate::value::{self, Wrong};
use http::HeaderName;
use std::time::Duration;
use tidegate_gateway::config::{Breaker, BreakerKey, CanaryRule, DEFAULT_MAX_KEYS, Fallback, Listener, MAX_KEYS};
use tidegate_traffic::breaker::{Settings, Window};

/// The longest that open intervals grow to where nothing is said, unless the first is longer.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// Those that can be wrong together with another one.
const SETTINGS: [&str; 7] = ["window", "failure_rate", "slow_rate", "min_calls", "half_open", "open", "open_max"];

/// What the route is that has the breaker.
pub(super) struct Of<'o> {
    /// Its calls are gRPC.
    pub(super) calls_services: bool,
    /// The upstream that it names.
    pub(super) upstream: Option<&'o str>,
    pub(super) canary: &'o [CanaryRule],
    pub(super) upstreams: &'o [Declared],
    pub(super) listeners: &'o [Listener],
}

/// The breaker of a route, if it has one.
pub(super) fn read(fields: &mut Fields<'_>, of: &Of<'_>, cx: &mut Context) -> Option<Breaker> {
    let node = fields.node("breaker", cx)?;
    let mut fields = Fields::of(node, "`breaker`", cx)?;
    let (key, max_keys) = keys(&mut fields, of, cx);
    let place = fields.key_span("fallback");
    let fallback = fallback::read(&mut fields, of, cx);
    if let (BreakerKey::Endpoint, Some(Fallback::Upstream(_))) = (&key, &fallback) {
        let message = "`upstream` stands in for an upstream, not for endpoints of it";
        cx.error_with(place, message, |d| d.help("say `key: upstream`, or answer with a `body`"));
    }
    let settings = settings(fields, cx)?;
    Some(Breaker { settings, key, max_keys, fallback: fallback.unwrap_or_default() })
}

/// What is judged together, and how many values of it.
fn keys(fields: &mut Fields<'_>, of: &Of<'_>, cx: &mut Context) -> (BreakerKey, usize) {
    let key = fields.optional("key", cx, key);
    let max_keys = fields.optional("max_keys", cx, |text| match value::count(text) {
        Ok(count) if count <= MAX_KEYS => Ok(count),
        _ => Err(Wrong { expected: "a number of keys", hint: format!("from `1` to `{MAX_KEYS}`") }),
    });
    let has_values = key.as_ref().is_some_and(|key| key.value.has_values());
    if let Some(max_keys) = max_keys.as_ref().filter(|_| !has_values) {
        cx.error(max_keys.span, "`max_keys` needs `key: endpoint`, `key: header:…` or `key: field:…`");
    }
    let max_keys = if has_values { max_keys.map_or(DEFAULT_MAX_KEYS, |count| count.value) } else { 0 };
    let Some(key) = key else { return (BreakerKey::default(), 0) };
    match &key.value {
        BreakerKey::Field { .. } if !of.calls_services => {
            let message = "`field:…` is for routes with a `service`: plain requests have no message";
            cx.error_with(key.span, message, |d| d.label("for example `header:x-tenant`"));
        }
        BreakerKey::Header(name) => warn_of_choice(name, key.span, of.listeners, cx),
        _ => {}
    }
    let value = match key.value {
        BreakerKey::Field { path, .. } => BreakerKey::Field { path, place: key.span.place() },
        value => value,
    };
    (value, max_keys)
}

fn key(text: &str) -> Result<BreakerKey, Wrong> {
    let wrong = |hint: &str| Wrong { expected: "what is judged together", hint: hint.into() };
    match (text, text.split_once(':')) {
        ("upstream", _) => Ok(BreakerKey::Upstream),
        ("route", _) => Ok(BreakerKey::Route),
        ("endpoint", _) => Ok(BreakerKey::Endpoint),
        (_, Some(("header", name))) => match HeaderName::try_from(name) {
            Ok(name) => Ok(BreakerKey::Header(name)),
            Err(_) => Err(wrong("for example `header:x-tenant`")),
        },
        (_, Some(("field", path))) if !path.is_empty() => {
            Ok(BreakerKey::Field { path: path.into(), place: Default::default() })
        }
        _ => Err(wrong("write `upstream`, `route`, `endpoint`, `header:NAME` or `field:NAME.NAME`")),
    }
}

/// A client that can choose its key can leave its breaker behind, and fill the table.
fn warn_of_choice(name: &HeaderName, span: Span, listeners: &[Listener], cx: &mut Context) {
    if listeners.iter().all(|listener| listener.trust.identity_headers.contains(name)) {
        return;
    }
    cx.warn_with(span, format!("any client can choose the header `{name}`, and so its breaker"), |d| {
        d.help("name it in `identity_headers` of the listeners")
    });
}

/// When it opens and closes.
fn settings(mut fields: Fields<'_>, cx: &mut Context) -> Option<Settings> {
    let usual = Settings::default();
    let window = fields.optional("window", cx, value::calls_or_time);
    let failure_rate = fields.optional("failure_rate", cx, value::share);
    let slow_call = fields.optional("slow_call", cx, value::duration);
    let slow_rate = fields.optional("slow_rate", cx, value::share);
    let min_calls = fields.optional("min_calls", cx, value::count);
    let open = fields.optional("open", cx, value::duration);
    let open_max = fields.optional("open_max", cx, value::duration);
    let half_open = fields.optional("half_open", cx, value::count);
    let probing = fields.optional("probing", cx, value::duration);
    let whole = fields.span();
    let keys = SETTINGS.map(|key| (key, fields.key_span(key)));
    let span_of = |key: &str| keys.iter().find(|(known, _)| *known == key).map_or(whole, |(_, span)| *span);
    fields.finish(cx);
    if slow_rate.is_some() && slow_call.is_none() {
        cx.error(span_of("slow_rate"), "`slow_rate` needs `slow_call`: from when on a call is slow");
        return None;
    }
    let open = open.map_or(usual.open, |open| open.value);
    let count =
        |given: Option<usize>, usual: u32| given.map_or(usual, |count| u32::try_from(count).unwrap_or(u32::MAX));
    let window = window.map_or(usual.window, |window| window.value);
    let settings = Settings {
        window,
        failure_rate: failure_rate.map_or(usual.failure_rate, |rate| rate.value),
        slow_call: slow_call.map_or(usual.slow_call, |slow| slow.value),
        slow_rate: slow_rate.map_or(usual.slow_rate, |rate| rate.value),
        min_calls: count(min_calls.map(|count| count.value), min_calls_in(window, usual.min_calls)),
        open,
        open_max: open_max.map_or(OPEN_MAX.max(open), |open| open.value),
        half_open: count(half_open.map(|count| count.value), usual.half_open),
        probing: probing.map_or(usual.probing, |probing| probing.value),
    };
    match settings.check() {
        Ok(()) => Some(settings),
        Err(error) => {
            cx.error(span_of(error.setting()), error.to_string());
            None
        }
    }
}

/// A window of few calls is judged when it is full.
fn min_calls_in(window: Window, usual: u32) -> u32 {
    match window {
        Window::Calls(calls) => usual.min(calls),
        Window::Time(_) => usual,
    }
}
