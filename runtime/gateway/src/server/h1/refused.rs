//! What hyper's parser refuses: it answers by itself, with a bare 400 or 431, and closes.

use tidegate_telemetry::metrics::limits::{BadRequest, Limit, Limits};

/// Counts what ended a connection, if that was a request that is none.
pub(super) fn count(error: &hyper::Error, counted: &Limits) {
    if let Some(why) = reason(error) {
        counted.bad_request(why);
        if why == BadRequest::TooLarge {
            counted.reached(Limit::HeaderBytes);
        }
    }
    tracing::debug!(%error, "a client connection ended with an error");
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
