//! `/api/v1/canaries`: the plans that widen canaries by themselves, and commands for them.

use super::reply::{Answer, error, ok};
use crate::generations::Handle;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;
use tidegate_gateway::Gateway;
use tidegate_gateway::canary::{Decided, Figures, Role, Walk};
use tidegate_telemetry::access_log::rfc3339;
use tidegate_traffic::plan::Decision;

pub(super) use tidegate_traffic::plan::Command;

/// All plans.
pub(super) fn all(gateway: &Gateway) -> Answer {
    let canaries: Vec<Value> = gateway.canaries().iter().map(|walk| shown(walk)).collect();
    ok(&json!({ "canaries": canaries }))
}

/// One of them.
pub(super) fn one(gateway: &Gateway, name: &str) -> Answer {
    find(gateway, name).map_or_else(|| not_found(name), |walk| ok(&shown(&walk)))
}

/// `NAME:COMMAND`, of which `None` is no command at all.
pub(super) fn command_of(rest: &str) -> Option<(&str, Command)> {
    let (name, word) = rest.rsplit_once(':')?;
    let command = match word {
        "pause" => Command::Pause,
        "resume" => Command::Resume,
        "promote" => Command::Promote,
        "abort" => Command::Abort,
        _ => return None,
    };
    Some((name, command))
}

/// Does what somebody wants of a plan, in all gateways that walk it.
pub(super) async fn command(handle: &Handle, name: &str, command: Command) -> Answer {
    let Some(walk) = find(handle.gateway(), name) else { return not_found(name) };
    match handle.plans().command(&walk, command).await {
        Ok(Some(refused @ Decision::Refused { .. })) => error(StatusCode::CONFLICT, &refused.to_string()),
        Ok(_) => ok(&shown(&walk)),
        Err(away) => error(StatusCode::SERVICE_UNAVAILABLE, &away.to_string()),
    }
}

/// Names of rules may have any character.
fn find(gateway: &Gateway, name: &str) -> Option<Arc<Walk>> {
    let name = percent_decode_str(name).decode_utf8().ok()?;
    gateway.canaries().into_iter().find(|walk| walk.name() == name)
}

fn not_found(name: &str) -> Answer {
    error(StatusCode::NOT_FOUND, &format!("no canary has a plan `{name}`; see /api/v1/canaries"))
}

fn shown(walk: &Walk) -> Value {
    let report = walk.report();
    let leader = match &report.role {
        Role::Follows(leader) if !leader.is_empty() => Value::from(leader.as_str()),
        _ => Value::Null,
    };
    json!({
        "name": report.name,
        "route": report.route,
        "rule": report.rule,
        "to": report.to,
        "role": report.role.word(),
        "leader": leader,
        "phase": report.phase.word(),
        "share": report.share.to_string(),
        "step": report.step + 1,
        "steps": report.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "entered": rfc3339(report.entered),
        "standing": report.standing,
        "canary": figures(report.canary),
        "stable": figures(report.stable),
        "decisions": report.decisions.iter().map(decided).collect::<Vec<_>>(),
    })
}

fn decided(one: &Decided) -> Value {
    let mut shown = json!({ "time": rfc3339(one.at), "decision": one.decision.to_string() });
    if let Some(by) = &one.by {
        shown["by"] = by.as_str().into();
    }
    shown
}

fn figures(side: Figures) -> Value {
    let p99 = side.p99.map(|p99| p99.as_secs_f64() * 1000.0);
    json!({ "calls": side.calls, "errors": side.errors, "p99Ms": p99 })
}
