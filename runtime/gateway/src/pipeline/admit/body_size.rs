//! Bodies that say that they are too long are refused before a byte of them is read.

use crate::answer::{Answer, Refusal};
use http::{header, request};

/// The longest request body that is read whole, 4 MiB: what gRPC servers take by default.
pub(in crate::pipeline) const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

pub(super) fn admit(head: &request::Parts) -> Result<(), Refusal> {
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > MAX_BODY_BYTES as u64 => Err(too_large()),
        _ => Ok(()),
    }
}

pub(in crate::pipeline) fn too_large() -> Refusal {
    Refusal::new(Answer::BodyTooLarge, format!("the request's body is longer than {MAX_BODY_BYTES} bytes"))
}
