//! Requests that a parser refuses and answers by itself, so that no request was ever there.

use super::worker::Shared;
use http::StatusCode;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_telemetry::access_log::Record;
use tidegate_telemetry::request_id::RequestId;
use tidegate_telemetry::{clock, random};

/// What is unknown of a request that could not be read.
const UNKNOWN: &str = "-";

/// The access log's line of a request of which nothing is known but who sent it.
pub(super) fn log(
    protocol: &'static str,
    (status, reason): (StatusCode, &'static str),
    peer: Option<SocketAddr>,
    shared: &Shared,
) {
    let snapshot = shared.gateway.snapshot();
    let Some(access_log) = &snapshot.sinks.access_log else { return };
    let began = clock::wall();
    access_log.write(&Record {
        began,
        request_id: RequestId::generate(clock::unix_ms(began), random::u128()).as_str(),
        trace_id: None,
        span_id: None,
        peer,
        host: None,
        method: UNKNOWN,
        path: UNKNOWN,
        protocol,
        route: None,
        rpc: None,
        upstream: None,
        endpoint: None,
        canary: None,
        fallback: None,
        status: status.as_u16(),
        grpc_status: None,
        duration: Duration::ZERO,
        upstream_duration: None,
        attempts: None,
        queued: None,
        bytes_in: 0,
        bytes_out: 0,
        reason: Some(reason),
        limit: None,
        user_agent: None,
    });
}
