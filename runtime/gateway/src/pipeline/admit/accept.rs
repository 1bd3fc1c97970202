//! A stream is refused before its call is made if the client can take none of the framings.

use crate::answer::{Answer, Refusal};
use crate::snapshot::Routed;
use http::header::{ACCEPT, HeaderMap};
use http::request;
use tidegate_transcode::stream::Framing;

pub(super) fn admit(head: &request::Parts, routed: &Routed<'_>) -> Result<(), Refusal> {
    let binding = routed.matched.binding;
    // `google.api.HttpBody` has a content type that only the service knows.
    let negotiates = binding.server_streaming && !binding.replies_with_http_body();
    if negotiates && framing(&head.headers).is_none() {
        return Err(Refusal::new(
            Answer::NotAcceptable,
            "a stream is sent as application/json, application/x-ndjson or text/event-stream",
        ));
    }
    Ok(())
}

/// The framing that the request asks for; its `Accept` lines are one list (RFC 9110, section 5.3).
pub(in crate::pipeline) fn framing(headers: &HeaderMap) -> Option<Framing> {
    // Of a list, empty elements do not count (RFC 9110, section 5.6.1): `,` is no list at all.
    let says_something = |line: &&str| line.bytes().any(|byte| !matches!(byte, b',' | b' ' | b'\t'));
    let mut lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).filter(says_something);
    match (lines.next(), lines.next()) {
        (first, None) => Framing::from_accept(first),
        (first, second) => {
            let all: Vec<&str> = first.into_iter().chain(second).chain(lines).collect();
            Framing::from_accept(Some(&all.join(",")))
        }
    }
}
