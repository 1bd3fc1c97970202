//! The headers that every call has, made once.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use std::sync::LazyLock;

pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const OUR_USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION")));

/// What every call has, cheaper to copy than to write again: a copy is one block of the right size, and
/// what differs from call to call has its place in it. One for the process: it is kilobytes.
static BASE: LazyLock<HeaderMap> = LazyLock::new(|| {
    let later = HeaderValue::from_static("");
    // Room for as many again: a map that grows hashes all its names anew.
    let mut metadata = HeaderMap::with_capacity(24);
    metadata.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    metadata.insert(TE, HeaderValue::from_static("trailers"));
    metadata.insert(USER_AGENT, OUR_USER_AGENT);
    metadata.insert(GRPC_TIMEOUT, later.clone());
    metadata.insert(REQUEST_ID, later.clone());
    metadata.insert(TRACEPARENT, later.clone());
    metadata.insert(FORWARDED_FOR, later.clone());
    metadata.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    metadata.insert(FORWARDED_HOST, later);
    metadata
});

/// The metadata of a call from this client, with what [`set`] is to be called for: the time that is left, the
/// host, and both ids.
pub(crate) fn begin(forwarded_for: &HeaderValue) -> HeaderMap {
    let mut metadata = HeaderMap::clone(&BASE);
    metadata.insert(FORWARDED_FOR, forwarded_for.clone());
    metadata
}

/// Sets a header that [`begin`] has the place of, or takes the place away.
pub(crate) fn set(metadata: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(metadata.insert(name, value)),
        None => drop(metadata.remove(name)),
    }
}

/// Marks a value that no other request has, so that HPACK does not put it into its table: it would push out
/// what does repeat, and each further value is compared with all that are there under the same name.
pub(crate) fn once(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::{FORWARDED_HOST, GRPC_TIMEOUT, REQUEST_ID, TRACEPARENT, begin, set};
    use http::HeaderValue;

    #[test]
    fn a_call_has_what_is_always_there_and_what_was_set() {
        let mut metadata = begin(&HeaderValue::from_static("192.0.2.1"));
        set(&mut metadata, GRPC_TIMEOUT, None);
        set(&mut metadata, REQUEST_ID, Some(HeaderValue::from_static("id")));
        set(&mut metadata, TRACEPARENT, Some(HeaderValue::from_static("trace")));
        set(&mut metadata, FORWARDED_HOST, Some(HeaderValue::from_static("shop")));
        let mut lines: Vec<String> =
            metadata.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?"))).collect();
        lines.sort();
        let user_agent = format!("user-agent: tidegate/{}", env!("CARGO_PKG_VERSION"));
        let want = [
            "content-type: application/grpc",
            "te: trailers",
            "traceparent: trace",
            &user_agent,
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: shop",
            "x-forwarded-proto: http",
            "x-request-id: id",
        ];
        assert_eq!(lines, want);
    }
}
