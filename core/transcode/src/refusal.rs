//! A request that goes no further.

use crate::status::{Code, Status};
use http::StatusCode;

/// Why a request was not accepted, as the caller is told.
///
/// The HTTP status is not always the one of the gRPC code: 415 and 400 are both `INVALID_ARGUMENT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", status.message)]
pub struct Refusal {
    /// The HTTP status to answer with.
    pub http: StatusCode,
    /// The body to answer with.
    pub status: Status,
}

impl Refusal {
    /// An answer of our own with this HTTP status; [`Code::of_answer`] gives the gRPC code.
    #[must_use]
    pub fn new(http: StatusCode, message: impl Into<String>) -> Self {
        Self { http, status: Status::new(Code::of_answer(http), message) }
    }

    /// 400: `message` says where and what, `field` is the path in the request message.
    #[must_use]
    pub(crate) fn bad_field(place: &str, field: &str, description: &str) -> Self {
        let status = Status::new(Code::InvalidArgument, format!("{place}: {description}"));
        Self { http: StatusCode::BAD_REQUEST, status: status.with_field_violation(field, description) }
    }
}

impl From<Status> for Refusal {
    /// The HTTP status is the one of the gRPC code.
    fn from(status: Status) -> Self {
        Self { http: status.http_status(), status }
    }
}
