//! `/api/v1/concurrency`: limits of calls in flight.

use super::reply::{Answer, ok};
use serde_json::{Value, json};
use tidegate_gateway::Gateway;
use tidegate_gateway::gates::Gate;
use tidegate_telemetry::metrics::concurrency::Limit as _;

/// All limits: those of routes, then those of upstreams.
pub(super) fn all(gateway: &Gateway) -> Answer {
    let limits: Vec<Value> = gateway.gates().iter().map(|gate| shown(gate)).collect();
    ok(&json!({ "limits": limits }))
}

fn shown(gate: &Gate) -> Value {
    let (levels, figures) = (gate.levels(), gate.figures());
    let refused: u64 = figures.refused.iter().map(|(.., count)| count).sum();
    json!({
        "of": gate.of().word(),
        "name": gate.name(),
        "inFlight": levels.in_flight,
        "limit": levels.limit,
        "queued": levels.queued,
        "queue": levels.queue,
        "callMs": levels.service.map(|took| took.as_secs_f64() * 1000.0),
        "refused": refused,
    })
}
