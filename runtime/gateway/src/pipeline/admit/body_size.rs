//! Bodies that say that they are too long are refused before a byte of them is read.

use crate::answer::{Answer, Refusal};
use crate::snapshot::Routed;
use http::{header, request};

pub(super) fn admit(head: &request::Parts, routed: &Routed<'_>, max_bytes: usize) -> Result<(), Refusal> {
    // A stream of requests is not held: what counts is the length of each message.
    if routed.takes_stream() {
        return Ok(());
    }
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > max_bytes as u64 => Err(too_large(max_bytes)),
        _ => Ok(()),
    }
}

pub(in crate::pipeline) fn too_large(max_bytes: usize) -> Refusal {
    Refusal::new(Answer::BodyTooLarge, format!("the request's body is longer than {max_bytes} bytes"))
}
