//! Answers of the gateway's own: one table pairs each with its HTTP status and its gRPC code.

use http::StatusCode;
use http::header::{ALLOW, HeaderMap, HeaderValue, RETRY_AFTER};
use tidegate_telemetry::metrics::limits::Limit;
use tidegate_transcode::{Code, Status};

/// A situation in which the gateway itself answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing is bound to this host and path.
    NoRoute,
    /// The path exists under other methods; comes with `Allow`.
    MethodNotAllowed,
    /// Path, query, headers or body are not what the rule asks for.
    BadRequest,
    /// The body's content type is not JSON.
    UnsupportedMediaType,
    /// None of the media types in `Accept` can carry the reply.
    NotAcceptable,
    /// The body is above the limit.
    BodyTooLarge,
    /// `CONNECT`: nothing is tunnelled.
    NotImplemented,
    /// The upstream's reply is no gRPC, or JSON cannot say it.
    BadReply,
    /// No endpoint can be reached, or it broke the call off.
    Unavailable,
    /// What is served depends on a schema that has not come yet.
    SchemaUnknown,
    /// The gateway stops, and the time of its drain is over.
    Stopping,
    /// The deadline passed.
    Deadline,
    /// The client left before its answer was complete.
    ClientGone,
    /// Something here is broken.
    Internal,
    /// The head has too many fields, or too many bytes.
    HeadTooLarge,
    /// The body came too slowly.
    BodyTooSlow,
    /// There is no memory for it.
    Overloaded,
    /// The client took nothing of its answer for too long.
    ClientStalled,
    /// A message of the upstream's reply is above the limit.
    MessageTooLarge,
    /// The route does not let the connection change its protocol.
    UpgradeRefused,
    /// A message of the upstream's reply became much larger when it was decompressed.
    MessageBomb,
    /// Calls fail too often to be made.
    BreakerOpen,
    /// Too many calls are in flight, or wait.
    Crowded,
    /// A rate limit is reached.
    RateLimited,
    /// A rate limit cannot be asked: its store does not answer.
    LimitUnknown,
}

/// (situation, HTTP status, the `reason` in log and metric). The gRPC code of each is
/// [`Code::of_answer`]'s: there is one table for the pairs.
const TABLE: [(Answer, StatusCode, &str); 25] = [
    (Answer::NoRoute, StatusCode::NOT_FOUND, "no_route"),
    (Answer::MethodNotAllowed, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
    (Answer::BadRequest, StatusCode::BAD_REQUEST, "bad_request"),
    (Answer::UnsupportedMediaType, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
    (Answer::NotAcceptable, StatusCode::NOT_ACCEPTABLE, "not_acceptable"),
    (Answer::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
    (Answer::NotImplemented, StatusCode::NOT_IMPLEMENTED, "not_implemented"),
    (Answer::BadReply, StatusCode::BAD_GATEWAY, "bad_reply"),
    (Answer::Unavailable, StatusCode::SERVICE_UNAVAILABLE, "upstream_unavailable"),
    (Answer::SchemaUnknown, StatusCode::SERVICE_UNAVAILABLE, "schema_unknown"),
    (Answer::Stopping, StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    (Answer::Deadline, StatusCode::GATEWAY_TIMEOUT, "deadline"),
    (Answer::ClientGone, CLIENT_CLOSED_REQUEST, "client_gone"),
    (Answer::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    (Answer::HeadTooLarge, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large"),
    (Answer::BodyTooSlow, StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
    (Answer::Overloaded, StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
    (Answer::ClientStalled, CLIENT_CLOSED_REQUEST, "client_stalled"),
    (Answer::MessageTooLarge, StatusCode::BAD_GATEWAY, "message_too_large"),
    (Answer::UpgradeRefused, StatusCode::FORBIDDEN, "upgrade_refused"),
    (Answer::MessageBomb, StatusCode::BAD_GATEWAY, "message_bomb"),
    (Answer::BreakerOpen, StatusCode::SERVICE_UNAVAILABLE, "breaker_open"),
    (Answer::Crowded, StatusCode::SERVICE_UNAVAILABLE, "concurrency"),
    (Answer::RateLimited, StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
    (Answer::LimitUnknown, StatusCode::SERVICE_UNAVAILABLE, "limit_unknown"),
];

/// 499, nginx's: the client left before its answer was complete. Nobody receives it; logs and metrics show it.
const CLIENT_CLOSED_REQUEST: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => panic!("invariant: 499 lies in 100..=999"),
};

impl Answer {
    const fn row(self) -> &'static (Self, StatusCode, &'static str) {
        &TABLE[self as usize]
    }

    /// The HTTP status.
    #[must_use]
    pub const fn http_status(self) -> StatusCode {
        self.row().1
    }

    /// The gRPC code.
    #[must_use]
    pub fn code(self) -> Code {
        Code::of_answer(self.http_status())
    }

    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.row().2
    }

    /// The answer to a request that the transcoder refuses with this HTTP status.
    #[must_use]
    pub fn of_refused_request(http: StatusCode) -> Self {
        match http {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            _ => Self::BadRequest,
        }
    }
}

/// The limit that a request ran into which ended for this reason.
pub(crate) fn limit_behind(reason: &str) -> Option<Limit> {
    let limits = [
        (Answer::HeadTooLarge, Limit::HeaderCount),
        (Answer::BodyTooLarge, Limit::BodyBytes),
        (Answer::BodyTooSlow, Limit::BodyRate),
        (Answer::Overloaded, Limit::Memory),
        (Answer::MessageTooLarge, Limit::MessageBytes),
        (Answer::MessageBomb, Limit::MessageRatio),
    ];
    limits.iter().find(|(answer, _)| answer.reason() == reason).map(|(_, limit)| *limit)
}

/// A request that ends without a reply from upstream, or with one that says no.
#[derive(Debug)]
pub struct Refusal {
    /// The status line.
    pub http_status: StatusCode,
    /// The body, as `google.rpc.Status`.
    pub status: Status,
    /// Headers that belong to the answer, as `Allow`.
    pub headers: HeaderMap,
    /// The word for it in logs and metrics; `None` when an upstream said it.
    pub reason: Option<&'static str>,
}

impl Refusal {
    /// An answer of our own with a sentence for the caller.
    #[must_use]
    pub fn new(answer: Answer, message: impl Into<String>) -> Self {
        Self::with_status(answer, Status::new(answer.code(), message))
    }

    /// An answer of our own whose status says more than a sentence.
    #[must_use]
    pub fn with_status(answer: Answer, status: Status) -> Self {
        Self { http_status: answer.http_status(), status, headers: HeaderMap::new(), reason: Some(answer.reason()) }
    }

    /// A request that the transcoder refuses.
    #[must_use]
    pub fn from_transcoder(refusal: tidegate_transcode::Refusal) -> Self {
        Self::with_status(Answer::of_refused_request(refusal.http), refusal.status)
    }

    /// What an upstream said.
    #[must_use]
    pub fn from_upstream(status: Status) -> Self {
        Self { http_status: status.http_status(), status, headers: HeaderMap::new(), reason: None }
    }

    /// 503: the schema of an upstream has not come yet, and any path might be its services'.
    #[must_use]
    pub fn schema_unknown() -> Self {
        let message = "what is served here is not known yet: a service has not told its schema";
        let mut refusal = Self::new(Answer::SchemaUnknown, message);
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        refusal
    }

    /// 405, with the methods that the path has.
    #[must_use]
    pub fn method_not_allowed(method: &http::Method, path: &str, allow: &str) -> Self {
        let message = format!("{path} has no method {method}; it has {allow}");
        let mut refusal = Self::new(Answer::MethodNotAllowed, message);
        if let Ok(value) = HeaderValue::from_str(allow) {
            refusal.headers.insert(ALLOW, value);
        }
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn every_row_stands_at_its_own_answer() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, index, "{:?}", row.0);
        }
    }

    #[test]
    fn pairs_are_what_the_documentation_says() {
        let pairs: Vec<_> =
            TABLE.iter().map(|(answer, http, reason)| (http.as_u16(), answer.code() as u8, *reason)).collect();
        let want = [
            (404, 5, "no_route"),
            (405, 12, "method_not_allowed"),
            (400, 3, "bad_request"),
            (415, 3, "unsupported_media_type"),
            (406, 3, "not_acceptable"),
            (413, 8, "body_too_large"),
            (501, 12, "not_implemented"),
            (502, 13, "bad_reply"),
            (503, 14, "upstream_unavailable"),
            (503, 14, "schema_unknown"),
            (503, 14, "stopping"),
            (504, 4, "deadline"),
            (499, 1, "client_gone"),
            (500, 13, "internal"),
            (431, 8, "head_too_large"),
            (408, 4, "body_too_slow"),
            (503, 14, "overloaded"),
            (499, 1, "client_stalled"),
            (502, 13, "message_too_large"),
            (403, 7, "upgrade_refused"),
            (502, 13, "message_bomb"),
            (503, 14, "breaker_open"),
            (503, 14, "concurrency"),
            (429, 8, "rate_limited"),
            (503, 14, "limit_unknown"),
        ];
        assert_eq!(pairs, want);
    }
}
