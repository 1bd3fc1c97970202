//! How a call ended, as far as its endpoint is concerned.

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use tidegate_traffic::outlier::Outcome;

use crate::{CallError, Kind};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What a reply's head says: `None` if only its trailers will tell.
pub(crate) fn of_head(status: StatusCode, headers: &HeaderMap, client_deadline: bool) -> Option<Outcome> {
    if status.is_server_error() {
        return Some(of_status(status));
    }
    if let Some(status) = headers.get(GRPC_STATUS) {
        return Some(of_grpc(status, client_deadline).unwrap_or(Outcome::Fine));
    }
    // Not gRPC-Web, whose trailers are in its body.
    let rest = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    let is_grpc = rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')));
    (!is_grpc).then_some(Outcome::Fine)
}

/// What the end of a gRPC reply says; without a status the service broke off.
pub(crate) fn of_trailers(trailers: Option<&HeaderMap>, client_deadline: bool) -> Option<Outcome> {
    match trailers.and_then(|trailers| trailers.get(GRPC_STATUS)) {
        Some(status) => of_grpc(status, client_deadline),
        None => Some(Outcome::Failed),
    }
}

/// What a call that failed says; `None` if it is not the endpoint's fault, or nobody can tell.
pub(crate) fn of_error(error: &CallError, client_deadline: bool) -> Option<Outcome> {
    match error.kind() {
        Kind::Deadline if client_deadline => None,
        Kind::Deadline | Kind::Reset(_) => Some(Outcome::Unreached),
        // A connection that was closed while nobody used it.
        Kind::ConnectionLost(_) if error.not_sent() => None,
        Kind::ConnectionLost(_) | Kind::Protocol(_) | Kind::Service(_) => Some(Outcome::Unreached),
        // That it cannot be connected to is known where it is tried; the others are ours, or the client's.
        _ => None,
    }
}

/// 501 says that the caller asked for what there is not.
fn of_status(status: StatusCode) -> Outcome {
    match status {
        StatusCode::NOT_IMPLEMENTED => Outcome::Fine,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Outcome::Unreached,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Fine,
    }
}

/// By gRPC's own codes: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE and DATA_LOSS are those whose HTTP status is of
/// a server's error, but for UNIMPLEMENTED. What is no code is UNKNOWN.
fn of_grpc(status: &HeaderValue, client_deadline: bool) -> Option<Outcome> {
    Some(match status.as_bytes() {
        b"4" if client_deadline => return None,
        b"14" => Outcome::Unreached,
        b"0" | b"1" | b"3" | b"5" | b"6" | b"7" | b"8" | b"9" | b"10" | b"11" | b"12" | b"16" => Outcome::Fine,
        _ => Outcome::Failed,
    })
}

/// Whether a reply is held against the endpoint that sent it: `headers` are its head, or its trailers.
#[must_use]
pub fn is_failure(status: StatusCode, headers: &HeaderMap) -> bool {
    of_head(status, headers, false).is_some_and(|outcome| outcome != Outcome::Fine)
}
