//! What hyper's parser refuses: it answers by itself, with a bare 400, 414 or 431, and closes.

use crate::answer::Answer;
use crate::server::worker::Shared;
use http::StatusCode;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_telemetry::access_log::Record;
use tidegate_telemetry::metrics::limits::{BadRequest, Limit};
use tidegate_telemetry::request_id::RequestId;
use tidegate_telemetry::{clock, random};

/// What is unknown of a request that could not be read.
const UNKNOWN: &str = "-";

/// Counts what ended a connection, if that was a request that is none, and logs what was answered.
pub(super) fn tell(error: &hyper::Error, peer: Option<SocketAddr>, shared: &Shared) {
    if let Some(why) = reason(error) {
        let counted = shared.gateway.telemetry().metrics.limits();
        counted.bad_request(why);
        if why == BadRequest::TooLarge {
            counted.reached(Limit::HeaderBytes);
        }
        // The client of an incomplete one has left, or fell silent: there is no answer.
        if why != BadRequest::Incomplete {
            log(answered(error), peer, shared);
        }
    }
    tracing::debug!(%error, "a client connection ended with an error");
}

/// The access log's line of a request of which nothing is known but who sent it.
fn log((status, reason): (StatusCode, &'static str), peer: Option<SocketAddr>, shared: &Shared) {
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
        protocol: "HTTP/1.1",
        route: None,
        rpc: None,
        upstream: None,
        endpoint: None,
        canary: None,
        status: status.as_u16(),
        grpc_status: None,
        duration: Duration::ZERO,
        upstream_duration: None,
        bytes_in: 0,
        bytes_out: 0,
        reason: Some(reason),
        user_agent: None,
    });
}

/// What hyper answers, and the word for it.
fn answered(error: &hyper::Error) -> (StatusCode, &'static str) {
    let too_large = Answer::HeadTooLarge;
    match () {
        () if !error.is_parse_too_large() => (Answer::BadRequest.http_status(), Answer::BadRequest.reason()),
        () if error.to_string().contains("URI") => (StatusCode::URI_TOO_LONG, too_large.reason()),
        () => (too_large.http_status(), too_large.reason()),
    }
}

/// hyper tells kinds of bad requests apart by their text alone.
fn reason(error: &hyper::Error) -> Option<BadRequest> {
    if error.is_incomplete_message() {
        return Some(BadRequest::Incomplete);
    }
    if !error.is_parse() {
        return None;
    }
    if error.is_parse_too_large() {
        return Some(BadRequest::TooLarge);
    }
    let text = error.to_string();
    let of = |words: &str| text.contains(words);
    Some(match () {
        () if of("content-length") || of("transfer-encoding") => BadRequest::Framing,
        () if of("method") => BadRequest::Method,
        () if of("URI") => BadRequest::Target,
        () if of("version") => BadRequest::Version,
        () if of("header") => BadRequest::Header,
        () => BadRequest::Other,
    })
}
