//! Which headers cross: request headers → metadata, and metadata → response headers.

pub(crate) mod plain;
mod rules;

pub(crate) use rules::{HeaderRules, Part};

use crate::answer::{Answer, Refusal};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The headers that a request's `Connection` fields name: they are for the next hop only.
struct Nominated(Vec<Box<str>>);

impl Nominated {
    fn new(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        Self(fields.flat_map(|field| field.split(',')).map(|name| name.trim().to_ascii_lowercase().into()).collect())
    }

    fn holds(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|nominated| **nominated == *name.as_str())
    }
}

/// Whether the request's `Connection` says that this header is for the next hop only.
pub(crate) fn is_nominated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.contains_key(header::CONNECTION) && Nominated::new(headers).holds(name)
}

/// Moves a native call's headers into `metadata`, in place of what that has under their names. What belongs to this hop
/// stays behind, and what the gateway says itself. All else is metadata, or gRPC's own, and passes as it is.
pub(crate) fn move_native_request(headers: HeaderMap, metadata: &mut HeaderMap) {
    let nominated = headers.get(header::CONNECTION).map(|_| Nominated::new(&headers));
    let goes_on = |name: &HeaderName| {
        let text = name.as_str();
        let of_hop = matches!(text, "host" | "expect" | "content-length") || is_hop(text);
        let ours = matches!(text, "grpc-timeout" | "x-request-id" | "traceparent")
            || is_origin(text)
            || text.starts_with("tidegate-");
        !(of_hop || ours || nominated.as_ref().is_some_and(|names| names.holds(name)))
    };
    let mut goes = false;
    metadata.extend(headers.into_iter().filter(|(name, _)| {
        // The second value of a header has no name.
        if let Some(name) = name {
            goes = goes_on(name);
        }
        goes
    }));
}

/// Takes out of a native reply's headers what belongs to the hop behind us.
pub(crate) fn strip_native_reply(headers: &mut HeaderMap) {
    strip(headers, |name| {
        let text = name.as_str();
        !(is_hop(text) || matches!(text, "content-length" | "date" | "server") || text.starts_with("tidegate-"))
    });
}

/// Removes the names that may not stay: most often none.
fn strip(headers: &mut HeaderMap, stays: impl Fn(&HeaderName) -> bool) {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| !stays(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// What the gateway says of a request's origin itself; of other forwarding headers only those of trusted
/// peers have come this far.
fn is_origin(name: &str) -> bool {
    matches!(name, "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host")
}

/// Headers that mean something to one hop alone (RFC 9110, section 7.6.1).
fn is_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Headers of HTTP, of gRPC and of the gateway that mean something to this hop alone, or that the
/// gateway writes itself.
fn is_protocol(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "expect"
            | "date"
            | "server"
            | "x-request-timeout"
            | "x-request-id"
            | "traceparent"
            | "tracestate"
            | "baggage"
            | "user-agent"
    ) || is_hop(name)
        || name.starts_with("content-")
        || name.starts_with("grpc-")
        || name.starts_with("tidegate-")
}

/// Metadata is printable ASCII; what ends in `-bin` is base64.
///
/// Source: gRPC over HTTP/2, "Custom-Metadata".
fn check_value(name: &HeaderName, value: &HeaderValue) -> Result<(), Refusal> {
    let bytes = value.as_bytes();
    let problem = if !bytes.iter().all(|byte| (0x20..=0x7e).contains(byte)) {
        "holds a character that gRPC metadata cannot carry (printable ASCII only)"
    } else if name.as_str().ends_with("-bin") && !is_base64(bytes) {
        "is not base64, as the name's ending `-bin` says"
    } else {
        return Ok(());
    };
    Err(Refusal::new(Answer::BadRequest, format!("header `{name}` {problem}")))
}

/// Standard alphabet, padded or not; several values may be joined by commas.
fn is_base64(value: &[u8]) -> bool {
    value.split(|&byte| byte == b',').all(|part| {
        let part = part.trim_ascii();
        let digits = part.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
        let (digits, padding) = part.split_at(digits);
        digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            && digits.len() % 4 != 1
            && (padding.is_empty() || (digits.len() + padding.len()).is_multiple_of(4))
            && padding.len() <= 2
    })
}
