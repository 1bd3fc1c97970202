//! Which headers cross: request headers → metadata, and metadata → response headers.

pub(crate) mod plain;

use crate::answer::{Answer, Refusal};
use crate::config::MetadataPolicy;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// A compiled [`MetadataPolicy`].
#[derive(Debug, Default)]
pub(crate) struct HeaderRules {
    exact: Vec<HeaderName>,
    prefixes: Vec<Box<str>>,
    suffixes: Vec<Box<str>>,
}

impl HeaderRules {
    pub(crate) fn new(policy: &MetadataPolicy) -> Self {
        let mut rules = Self::default();
        for pattern in &policy.allow {
            let pattern = pattern.to_ascii_lowercase();
            if let Some(prefix) = pattern.strip_suffix('*') {
                rules.prefixes.push(prefix.into());
            } else if let Some(suffix) = pattern.strip_prefix('*') {
                rules.suffixes.push(suffix.into());
            } else if let Ok(name) = HeaderName::try_from(pattern) {
                rules.exact.push(name);
            }
        }
        rules
    }

    /// Copies the request headers that the policy lets pass into `metadata`.
    ///
    /// Hop-by-hop headers, those that `Connection` names, what belongs to the protocols (`grpc-*`,
    /// `content-*`, `host`), our own (`tidegate-*`) and those in which the gateway says where a request came
    /// from never pass.
    ///
    /// # Errors
    /// 400 for a value that metadata cannot carry, naming the header.
    pub(crate) fn copy_request(&self, headers: &HeaderMap, metadata: &mut HeaderMap) -> Result<(), Refusal> {
        let nominated = headers.get(header::CONNECTION).map(|_| Nominated::new(headers));
        for (name, value) in headers {
            if !self.passes(name) || nominated.as_ref().is_some_and(|nominated| nominated.holds(name)) {
                continue;
            }
            check_value(name, value)?;
            metadata.append(name.clone(), value.clone());
        }
        Ok(())
    }

    fn passes(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        let allowed = self.exact.contains(name)
            || self.prefixes.iter().any(|prefix| text.starts_with(&**prefix))
            || self.suffixes.iter().any(|suffix| text.ends_with(&**suffix));
        allowed && !is_protocol(text) && !is_origin(text)
    }
}

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

/// Takes out of a native call's headers what is not for the upstream: what belongs to this hop, our
/// own headers. All else is metadata, or gRPC's own, and passes as it is.
pub(crate) fn strip_native_request(headers: &mut HeaderMap) {
    let nominated = headers.get(header::CONNECTION).map(|_| Nominated::new(headers));
    let stays = |name: &HeaderName| {
        let text = name.as_str();
        let ours = matches!(text, "host" | "expect" | "content-length") || text.starts_with("tidegate-");
        !(ours || is_hop(text) || nominated.as_ref().is_some_and(|names| names.holds(name)))
    };
    strip(headers, stays);
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

/// Copies an upstream's metadata (headers, or the trailers of a unary reply) into response headers.
pub(crate) fn copy_reply(metadata: &HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in metadata {
        let of_content = matches!(name.as_str(), "content-disposition" | "content-language" | "content-location");
        if of_content || !is_protocol(name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests;
