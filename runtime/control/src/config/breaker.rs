//! `breaker`: when the calls of a route are not made any more.

use crate::fields::{Context, Fields};
use crate::value;
use std::time::Duration;
use tidegate_traffic::breaker::{Settings, Window};

/// The longest that open intervals grow to where nothing is said, unless the first is longer.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// Those that can be wrong together with another one.
const SETTINGS: [&str; 7] = ["window", "failure_rate", "slow_rate", "min_calls", "half_open", "open", "open_max"];

/// The breaker of a route, if it has one.
pub(super) fn read(fields: &mut Fields<'_>, cx: &mut Context) -> Option<Settings> {
    let node = fields.node("breaker", cx)?;
    let mut fields = Fields::of(node, "`breaker`", cx)?;
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
