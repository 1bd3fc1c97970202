//! What becomes of a request, and what its caller is told.

use crate::protocol::{Cause, Protocol, Refused};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use std::fmt::Write as _;
use std::time::Duration;
use tidegate_limit::fields::{Fields, seconds};
use tidegate_transcode::{Code, Status};

/// What limits say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(super) refusal: Option<LimitRefusal>,
    pub(super) wait: Duration,
    pub(super) fields: Fields,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRefusal {
    /// The limit.
    pub limit: String,
    /// For the caller.
    pub message: String,
    /// After which time asking again may help, where that is known.
    pub retry_after: Option<Duration>,
    /// The limit is not reached: nobody knows, for its store does not answer.
    pub store_is_away: bool,
}

// === impl Verdict ===

impl Verdict {
    /// Whether the request may go on.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        self.refusal.is_none()
    }

    /// Why not.
    #[must_use]
    pub const fn refusal(&self) -> Option<&LimitRefusal> {
        self.refusal.as_ref()
    }

    /// For how long an admitted request is to be held back: a leaky bucket lets them out one after the other.
    #[must_use]
    pub const fn wait(&self) -> Duration {
        self.wait
    }

    /// Writes the fields `RateLimit` and `RateLimit-Policy`, if there is something to tell.
    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in self.fields.lines() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }

    /// The answer to a request that is refused, as the gateway gives it: 429 with a JSON body, or `RESOURCE_EXHAUSTED`,
    /// with `QuotaFailure`, `RetryInfo` and `Retry-After`; 503 or `UNAVAILABLE` if the store is away. `None`: it is
    /// admitted.
    ///
    /// `tonic::Status::from_header_map` makes a status of its headers.
    #[must_use]
    pub fn answer(&self, protocol: Protocol) -> Option<Response<String>> {
        let refusal = self.refusal.as_ref()?;
        let mut answer = Response::new(String::new());
        let headers = answer.headers_mut();
        self.write(headers);
        if let Some(after) = refusal.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(after)));
        }
        match protocol {
            Protocol::Grpc => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                refusal.status().write_trailers(headers);
            }
            Protocol::Http => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                *answer.status_mut() = match refusal.store_is_away {
                    true => StatusCode::SERVICE_UNAVAILABLE,
                    false => StatusCode::TOO_MANY_REQUESTS,
                };
                *answer.body_mut() = refusal.json();
            }
        }
        answer.extensions_mut().insert(Refused { cause: Cause::Limit, retry_after: refusal.retry_after });
        Some(answer)
    }
}

impl LimitRefusal {
    fn code(&self) -> Code {
        if self.store_is_away { Code::Unavailable } else { Code::ResourceExhausted }
    }

    fn status(&self) -> Status {
        let mut status = Status::new(self.code(), self.message.clone());
        if !self.store_is_away {
            status = status.with_quota_violation(&self.limit, &self.message);
        }
        match self.retry_after {
            Some(after) => status.with_retry_delay(after),
            None => status,
        }
    }

    /// The same status in the JSON mapping of protobuf.
    fn json(&self) -> String {
        let (message, limit) = (text(&self.message), text(&self.limit));
        let mut details = Vec::new();
        if !self.store_is_away {
            details.push(format!(
                r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"subject":{limit},"description":{message}}}]}}"#
            ));
        }
        if let Some(after) = self.retry_after {
            details.push(format!(
                r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{}"}}"#,
                duration(after)
            ));
        }
        let mut json = format!(r#"{{"code":{},"message":{message}"#, self.code().as_u32());
        if !details.is_empty() {
            let _ = write!(json, r#","details":[{}]"#, details.join(","));
        }
        json.push('}');
        json
    }
}

/// A JSON string. Names of limits have neither quotes nor control characters, and messages are made of them.
fn text(text: &str) -> String {
    let special = |letter: char| matches!(letter, '"' | '\\');
    let escaped = text.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter]));
    format!("\"{}\"", escaped.collect::<String>())
}

/// Seconds with 0, 3, 6 or 9 digits, as protobuf's JSON has them.
fn duration(time: Duration) -> String {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    match nanos {
        0 => format!("{seconds}s"),
        _ if nanos.is_multiple_of(1_000_000) => format!("{seconds}.{:03}s", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1_000) => format!("{seconds}.{:06}s", nanos / 1_000),
        _ => format!("{seconds}.{nanos:09}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn durations_have_as_many_digits_as_they_need() {
        let texts = [0, 5_000_000, 1_000_001_000, 1].map(|nanos| duration(Duration::from_nanos(nanos)));
        assert_eq!(texts, ["0s", "0.005s", "1.000001s", "0.000000001s"]);
    }
}
