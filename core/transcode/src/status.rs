//! `google.rpc.Status`: made, read from trailers, written as trailers and as JSON.

mod code;
mod json;
mod trailers;

use bytes::Bytes;
use http::StatusCode;
use std::time::Duration;
use tidegate_protojson::wire::{WireType, put_len_prefixed, put_tag, put_varint};

pub use code::{Code, OWN_ANSWERS, Row, TABLE};

/// The type URL of a detail that names bad fields.
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// The type URL of a detail that names limits that were reached.
const QUOTA_FAILURE: &str = "type.googleapis.com/google.rpc.QuotaFailure";
/// The type URL of a detail that says when to try again.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// How a call ended, as `google/rpc/status.proto` has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct Status {
    /// The gRPC code.
    pub code: Code,
    /// For people; it names the place of the fault.
    pub message: String,
    /// For programs.
    pub details: Vec<Detail>,
}

/// A `google.protobuf.Any` in a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// `type.googleapis.com/pkg.Message`.
    pub type_url: String,
    /// The message's wire bytes.
    pub value: Bytes,
}

// === impl Status ===

impl Status {
    /// A status without details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Vec::new() }
    }

    /// Adds a detail: a message of the type behind `type_url`, as wire bytes.
    #[must_use]
    pub fn with_detail(mut self, type_url: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.details.push(Detail { type_url: type_url.into(), value: value.into() });
        self
    }

    /// Adds a `google.rpc.BadRequest` with one violation: `field` is the path of the field in the
    /// request message, `description` says what is wrong with it.
    #[must_use]
    pub fn with_field_violation(self, field: &str, description: &str) -> Self {
        let mut violation = Vec::with_capacity(field.len() + description.len() + 8);
        put_string(&mut violation, 1, field);
        put_string(&mut violation, 2, description);
        let mut request = Vec::with_capacity(violation.len() + 4);
        put_tag(&mut request, 1, WireType::Len);
        put_len_prefixed(&mut request, &violation);
        self.with_detail(BAD_REQUEST, request)
    }

    /// Adds a `google.rpc.QuotaFailure` with one violation: `subject` is what was reached.
    #[must_use]
    pub fn with_quota_violation(self, subject: &str, description: &str) -> Self {
        let mut violation = Vec::with_capacity(subject.len() + description.len() + 8);
        put_string(&mut violation, 1, subject);
        put_string(&mut violation, 2, description);
        let mut failure = Vec::with_capacity(violation.len() + 4);
        put_tag(&mut failure, 1, WireType::Len);
        put_len_prefixed(&mut failure, &violation);
        self.with_detail(QUOTA_FAILURE, failure)
    }

    /// Adds a `google.rpc.RetryInfo`: to try again earlier is in vain.
    #[must_use]
    pub fn with_retry_delay(self, delay: Duration) -> Self {
        let mut duration = Vec::with_capacity(16);
        for (number, value) in [(1, delay.as_secs()), (2, u64::from(delay.subsec_nanos()))] {
            if value > 0 {
                put_tag(&mut duration, number, WireType::Varint);
                put_varint(&mut duration, value);
            }
        }
        let mut info = Vec::with_capacity(duration.len() + 2);
        put_tag(&mut info, 1, WireType::Len);
        put_len_prefixed(&mut info, &duration);
        self.with_detail(RETRY_INFO, info)
    }

    /// The HTTP status of the code, by [`TABLE`].
    #[must_use]
    pub fn http_status(&self) -> StatusCode {
        self.code.http_status()
    }

    /// The status of a call whose upstream answered over HTTP without a `grpc-status`, by gRPC's
    /// `doc/http-grpc-status-mapping.md`.
    #[must_use]
    pub fn from_http(status: StatusCode) -> Self {
        let code = match status.as_u16() {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502 | 503 | 504 => Code::Unavailable,
            _ => Code::Unknown,
        };
        Self::new(code, format!("the upstream answered with HTTP status {} and no grpc-status", status.as_u16()))
    }
}

/// Appends a string field, unless it is empty (proto3, implicit presence).
fn put_string(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_tag(out, number, WireType::Len);
        put_len_prefixed(out, text.as_bytes());
    }
}
