//! `/api/v1/breakers`: circuit breakers, and commands for them.

use super::reply::{Answer, error, ok};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;
use tidegate_gateway::Gateway;
use tidegate_gateway::breakers::{Changed, Guard, KeyState};
use tidegate_telemetry::access_log::rfc3339;
use tidegate_telemetry::metrics::breakers::Breaker as _;
use tidegate_traffic::breaker::State as BreakerState;
use tidegate_traffic::query_value;

pub(super) use tidegate_gateway::breakers::Command;

/// Keys that are shown.
const KEYS_SHOWN: usize = 100;

/// All breakers.
pub(super) fn all(gateway: &Gateway) -> Answer {
    let breakers: Vec<Value> = gateway.breakers().iter().map(|guard| shown(guard)).collect();
    ok(&json!({ "breakers": breakers }))
}

/// One of them.
pub(super) fn one(gateway: &Gateway, name: &str) -> Answer {
    find(gateway, name).map_or_else(|| not_found(name), |guard| ok(&shown(&guard)))
}

/// `NAME:COMMAND`, of which `None` is no command at all.
pub(super) fn command_of(rest: &str) -> Option<(&str, Command)> {
    let (name, word) = rest.rsplit_once(':')?;
    let command = match word {
        "open" => Command::Open,
        "close" => Command::Close,
        "disable" => Command::Disable,
        _ => return None,
    };
    Some((name, command))
}

/// Does what somebody wants of a breaker; `query` may name the key whose breaker it is: `key=acme`.
pub(super) fn command(gateway: &Gateway, name: &str, query: Option<&str>, command: Command) -> Answer {
    let Some(guard) = find(gateway, name) else { return not_found(name) };
    let key = query_value(query, "key");
    let key = key.as_deref().map(String::from_utf8_lossy);
    if let Some(unknown) = query.into_iter().flat_map(|query| query.split('&')).find(|pair| !pair.starts_with("key=")) {
        let message = format!("a command has no parameter `{unknown}`: `key=VALUE` says whose breaker it is for");
        return error(StatusCode::BAD_REQUEST, &message);
    }
    match guard.command(key.as_deref(), command) {
        Ok(()) => ok(&shown(&guard)),
        Err(why) => error(StatusCode::CONFLICT, &why.to_string()),
    }
}

/// Paths of routes may have any character.
fn find(gateway: &Gateway, name: &str) -> Option<Arc<Guard>> {
    let name = percent_decode_str(name).decode_utf8().ok()?;
    gateway.breakers().into_iter().find(|guard| guard.name() == name)
}

fn not_found(name: &str) -> Answer {
    error(StatusCode::NOT_FOUND, &format!("there is no breaker `{name}`; see /api/v1/breakers"))
}

fn shown(guard: &Guard) -> Value {
    let changed = |changed: &Changed| {
        json!({
            "time": rfc3339(changed.at),
            "key": changed.key,
            "state": changed.change.to.word(),
            "why": changed.change.why.to_string(),
            "openMs": changed.change.open.map(|open| u64::try_from(open.as_millis()).unwrap_or(u64::MAX)),
        })
    };
    let figures = guard.figures();
    let fallbacks: serde_json::Map<_, _> =
        figures.fallbacks.iter().map(|(with, count)| ((*with).to_owned(), Value::from(*count))).collect();
    let mut shown = json!({
        "name": guard.name(),
        "route": guard.route(),
        "upstream": guard.upstream(),
        "by": guard.by(),
        "state": figures.state,
        "refused": figures.refused,
        "fallbacks": fallbacks,
        "changes": guard.changes().iter().map(changed).collect::<Vec<_>>(),
    });
    if let (Some(keys), Some(figures)) = (guard.keys(), figures.keys) {
        shown["keys"] = json!({
            "known": keys.len(),
            "most": figures.most,
            "states": figures.states.into_iter().map(|(state, count)| (state.to_owned(), count.into())).collect::<serde_json::Map<_, Value>>(),
            "shown": those_of_interest(keys),
        });
    }
    shown
}

/// The keys whose breakers are not closed, and those that refused calls, the most first; not more than a few.
fn those_of_interest(mut keys: Vec<KeyState>) -> Vec<Value> {
    keys.retain(|key| key.state != BreakerState::Closed || key.refused > 0);
    keys.sort_by_key(|key| (key.state == BreakerState::Closed, std::cmp::Reverse(key.refused)));
    let shown = |key: KeyState| json!({ "key": key.key, "state": key.state.word(), "refused": key.refused });
    keys.into_iter().take(KEYS_SHOWN).map(shown).collect()
}
