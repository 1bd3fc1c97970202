//! A compressed body is refused as such: taken as it is, it would be an error at its first byte.

use crate::answer::{Answer, Refusal};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use http::request;

/// 415 with `Accept-Encoding: identity` (RFC 9110, section 15.5.16).
pub(super) fn admit(head: &request::Parts) -> Result<(), Refusal> {
    let identity = |value: &HeaderValue| value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity");
    if head.headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        return Ok(());
    }
    let message = "a body with a content encoding is not taken: send it uncompressed";
    let mut refusal = Refusal::new(Answer::UnsupportedMediaType, message);
    refusal.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Err(refusal)
}
