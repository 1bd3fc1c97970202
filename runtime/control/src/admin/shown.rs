//! What the admin port shows, as JSON. Keys are lowerCamel, as ProtoJSON writes them.

use crate::config::diff::Change;
use crate::config::{parts, redact};
use crate::diagnostics::{Diagnostic, Report};
use crate::follow::{SchemaStates, Teller};
use crate::generations::{Attempt, Generation, Handle};
use serde_json::{Value, json};
use std::time::SystemTime;
use tidegate_telemetry::access_log;
use tidegate_telemetry::metrics::Metrics;
use tidegate_upstream::fleet::EndpointState;

/// `/api/v1/config`.
pub(super) fn generations(handle: &Handle) -> Value {
    let mut generations = handle.generations();
    generations.reverse();
    let shown: Vec<Value> = generations.iter().enumerate().map(|(index, one)| generation(one, index == 0)).collect();
    json!({
        "generation": generations.first().map(|current| current.number),
        "generations": shown,
        "source": { "name": handle.source(), "trouble": handle.trouble() },
        "refused": handle.refused().map(|attempt| refused(&attempt)),
    })
}

pub(super) fn generation(generation: &Generation, in_force: bool) -> Value {
    json!({
        "generation": generation.number,
        "revision": generation.document.revision.as_str(),
        "origin": generation.origin,
        "time": time(generation.at),
        "inForce": in_force,
        "parts": generation.document.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(),
    })
}

fn refused(attempt: &Attempt) -> Value {
    json!({
        "revision": attempt.revision,
        "origin": attempt.origin,
        "time": time(attempt.at),
        "errors": attempt.report.diagnostics.iter().map(Diagnostic::in_one_line).collect::<Vec<_>>(),
    })
}

/// `/api/v1/config/N` and `/config_dump`: the config as it is written, without secrets.
pub(super) fn whole(handle: &Handle, one: &Generation) -> Value {
    let in_force = handle.current().is_some_and(|current| current.number == one.number);
    let mut shown = generation(one, in_force);
    let config = parts::parse(&one.document).map(|(root, _)| redact::json(&root)).unwrap_or_default();
    shown["config"] = config;
    shown
}

/// `/api/v1/routes`.
pub(super) fn routes(handle: &Handle) -> Value {
    let snapshot = handle.gateway().snapshot();
    let routes: Vec<Value> = snapshot
        .route_lines()
        .iter()
        .map(|line| {
            json!({
                "method": line.method,
                "path": line.path,
                "host": line.host,
                "rpc": line.rpc,
                "upstream": line.upstream,
            })
        })
        .collect();
    json!({ "generation": snapshot.generation, "routes": routes })
}

/// `/api/v1/upstreams`.
pub(super) fn upstreams(handle: &Handle, schemas: &SchemaStates, metrics: &Metrics) -> Value {
    let snapshot = handle.gateway().snapshot();
    let states = schemas.all();
    let figures = metrics.upstreams();
    let upstreams: Vec<Value> = snapshot
        .config
        .upstreams
        .iter()
        .zip(snapshot.fleets())
        .map(|(upstream, fleet)| {
            let view = fleet.view();
            let mut shown = json!({
                "name": upstream.name,
                "balance": view.balance,
                "panicking": view.panicking,
                "lost": view.lost.as_deref(),
                "endpoints": view.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
            });
            if let Some(state) = states.iter().find(|state| state.upstream == upstream.name) {
                let (endpoint, kept_from) = match state.in_force.as_ref().map(|known| &known.teller) {
                    Some(Teller::Endpoint(endpoint)) => (Some(endpoint), None),
                    Some(Teller::Kept(at)) => (None, Some(time(*at))),
                    None => (None, None),
                };
                shown["schema"] = json!({
                    "endpoint": endpoint,
                    "keptFrom": kept_from,
                    "services": state.in_force.as_ref().map(|known| known.services),
                    "trouble": state.trouble,
                });
            }
            if let Some((_, figures)) = figures.iter().find(|(name, _)| *name == upstream.name) {
                shown["figures"] = json!({
                    "connections": figures.connections_open,
                    "connectionsLimit": figures.connections_limit,
                    "connectFailures": figures.connect_failures,
                    "inFlight": figures.in_flight,
                    "waiting": figures.waiting,
                    "requests": figures.requests,
                    "failures": figures.failures.iter().map(|(_, count)| count).sum::<u64>(),
                });
            }
            shown
        })
        .collect();
    json!({ "generation": snapshot.generation, "upstreams": upstreams })
}

fn endpoint(state: &EndpointState) -> Value {
    json!({
        "address": &*state.address,
        "state": state.state,
        "why": state.why,
        "weight": state.weight,
        // While it starts slowly.
        "startingPercent": (state.tenths < 10).then_some(state.tenths * 10),
        "inFlight": state.in_flight,
        "connections": state.connections,
        "latencyMs": state.latency.map(|took| took.as_secs_f64() * 1e3),
        "ejectedUntil": state.ejected_until.map(time),
        "requests": state.requests,
        "failures": state.failures,
        "ejections": state.ejections,
    })
}

pub(super) fn warnings(report: &Report) -> Vec<String> {
    report.diagnostics.iter().map(Diagnostic::in_one_line).collect()
}

/// `/api/v1/config:diff`.
pub(super) fn changes(changes: &[Change]) -> Value {
    let change = |change: &Change| json!({ "path": change.path, "before": change.before, "after": change.after });
    json!({ "changes": changes.iter().map(change).collect::<Vec<_>>() })
}

/// RFC 3339, in UTC.
fn time(at: SystemTime) -> String {
    access_log::rfc3339(at)
}
