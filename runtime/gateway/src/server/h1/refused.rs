//! What hyper's parser refuses: it answers by itself, with a bare 400, 414 or 431, and closes.

use crate::answer::Answer;
use crate::server::refusal;
use crate::server::worker::Shared;
use http::StatusCode;
use std::net::SocketAddr;
use tidegate_telemetry::metrics::limits::{BadRequest, Limit};

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
            refusal::log("HTTP/1.1", answered(error), peer, shared);
        }
    }
    tracing::debug!(%error, "a client connection ended with an error");
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
