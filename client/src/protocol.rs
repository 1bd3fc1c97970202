//! How things are said in HTTP and in gRPC.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use std::fmt;
use std::time::Duration;
use tidegate_traffic::retry::Failure;
use tidegate_traffic::{breaker, bulkhead};

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// What requests and answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Plain HTTP: a status says how a call went. A refused one is 503, a late one 504.
    Http,
    /// gRPC: `grpc-status` says it, in the head or behind the body. A refused call is `UNAVAILABLE`, a late one
    /// `DEADLINE_EXCEEDED`.
    Grpc,
}

/// Stands in the extensions of an answer that a layer made: the service was not called, or did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which layer made it, and why.
    pub cause: Cause,
    /// After which time asking again may help, where that is known.
    pub retry_after: Option<Duration>,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The breaker is in this state.
    Breaker(breaker::State),
    /// The bulkhead is full.
    Bulkhead(bulkhead::Why),
    /// The deadline passed.
    Deadline,
    /// A rate limit is reached, or its store is away.
    Limit,
}

// === impl Refused ===

impl Refused {
    /// What a layer says of this answer; `None` if the service gave it.
    #[must_use]
    pub fn of<B>(answer: &Response<B>) -> Option<&Self> {
        answer.extensions().get()
    }

    pub(crate) const DEADLINE: Self = Self { cause: Cause::Deadline, retry_after: None };
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Breaker(_) => f.write_str("the service fails too often and is not called for now"),
            Cause::Bulkhead(why) => write!(f, "too many calls are in flight ({})", why.word()),
            Cause::Limit => f.write_str("a rate limit refuses the call"),
            Cause::Deadline => f.write_str("the deadline passed before the service answered"),
        }
    }
}

// === impl Protocol ===

impl Protocol {
    /// The answer to a call that is not made.
    pub(crate) fn refuse(self, refused: Refused) -> Response<()> {
        let late = refused.cause == Cause::Deadline;
        let mut answer = Response::new(());
        let headers = answer.headers_mut();
        if let Some(after) = refused.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        match self {
            Self::Grpc => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                write_status(headers, if late { 4 } else { 14 }, &refused);
            }
            Self::Http => {
                let status = if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::SERVICE_UNAVAILABLE };
                *answer.status_mut() = status;
            }
        }
        answer.extensions_mut().insert(refused);
        answer
    }

    /// The trailers of an answer whose deadline passes; plain HTTP has no way to say it.
    pub(crate) fn late_trailers(self) -> Option<HeaderMap> {
        let mut trailers = HeaderMap::new();
        write_status(&mut trailers, 4, &Refused::DEADLINE);
        (self == Self::Grpc).then_some(trailers)
    }

    /// What a head says that might be tried again.
    pub(crate) fn failure(self, status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
        if self == Self::Http || status != StatusCode::OK {
            return (status.is_client_error() || status.is_server_error()).then_some(Failure::Status(status));
        }
        code_in(headers).filter(|code| *code != 0).map(Failure::Code)
    }

    /// How long the caller waits, as it says.
    pub(crate) fn timeout_in(self, headers: &HeaderMap) -> Option<Duration> {
        match self {
            Self::Grpc => timeout(headers.get(GRPC_TIMEOUT)?.to_str().ok()?),
            Self::Http => None,
        }
    }

    /// Tells the service how long its caller waits.
    pub(crate) fn write_timeout(self, headers: &mut HeaderMap, left: Duration) {
        if self == Self::Grpc
            && let Ok(value) = HeaderValue::from_str(&timeout_text(left))
        {
            headers.insert(GRPC_TIMEOUT, value);
        }
    }
}

fn write_status(headers: &mut HeaderMap, code: u8, refused: &Refused) {
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(code)));
    // Nothing in it needs to be escaped.
    if let Ok(message) = HeaderValue::from_str(&refused.to_string()) {
        headers.insert(GRPC_MESSAGE, message);
    }
}

/// The number in `grpc-status`; what is none counts as UNKNOWN.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<u8> {
    const UNKNOWN: u8 = 2;
    let value = headers.get(GRPC_STATUS)?;
    Some(value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(UNKNOWN))
}

/// gRPC's `TimeoutValue TimeoutUnit`: at most eight digits and a unit (`PROTOCOL-HTTP2.md`).
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The finest unit that eight digits can say; never more than there is.
fn timeout_text(left: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let units = [(left.as_nanos(), 'n'), (left.as_micros(), 'u'), (left.as_millis(), 'm')];
    match units.into_iter().find(|(count, _)| *count <= MOST) {
        Some((count, unit)) => format!("{count}{unit}"),
        None => format!("{}S", u128::from(left.as_secs()).min(MOST)),
    }
}

#[cfg(test)]
mod tests {
    use super::{timeout, timeout_text};
    use std::time::Duration;

    #[test]
    fn timeouts_are_written_in_the_finest_unit_and_read_in_any() {
        for (nanos, text) in [
            (0, "0n"),
            (99_999_999, "99999999n"),
            (100_000_001, "100000u"),
            (100_000_000_000, "100000m"),
            (99_999_999_999_999_999, "99999999S"),
        ] {
            assert_eq!(timeout_text(Duration::from_nanos(nanos)), text);
        }
        for (text, seconds) in [("1H", Some(3600)), ("2M", Some(120)), ("3S", Some(3)), ("4000m", Some(4))] {
            assert_eq!(timeout(text), seconds.map(Duration::from_secs));
        }
        for wrong in ["", "S", "123456789S", "-1S", "1x", "1", "ä"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }
}
