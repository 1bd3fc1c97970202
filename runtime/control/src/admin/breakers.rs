//! `/api/v1/breakers`: circuit breakers, and commands for them.

use super::reply::{Answer, error, ok};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;
use tidegate_gateway::Gateway;
use tidegate_gateway::breakers::{Changed, Guard};
use tidegate_telemetry::access_log::rfc3339;
use tidegate_telemetry::metrics::breakers::Breaker as _;

pub(super) use tidegate_gateway::breakers::Command;

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

/// Does what somebody wants of a breaker.
pub(super) fn command(gateway: &Gateway, name: &str, command: Command) -> Answer {
    let Some(guard) = find(gateway, name) else { return not_found(name) };
    guard.command(command);
    ok(&shown(&guard))
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
            "state": changed.change.to.word(),
            "why": changed.change.why.to_string(),
            "openMs": changed.change.open.map(|open| u64::try_from(open.as_millis()).unwrap_or(u64::MAX)),
        })
    };
    let figures = guard.figures();
    json!({
        "name": guard.name(),
        "route": guard.route(),
        "upstream": guard.upstream(),
        "state": figures.state,
        "refused": figures.refused,
        "changes": guard.changes().iter().map(changed).collect::<Vec<_>>(),
    })
}
