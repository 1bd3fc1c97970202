//! Policies: each is a function of the request and its route that says *continue* or *answer*.

mod accept;
mod body_size;
mod content_coding;
pub(super) mod limit;

use crate::answer::Refusal;
use crate::snapshot::Routed;
use http::request;

pub(super) use accept::framing;
pub(super) use body_size::too_large;

/// Runs every policy, in order; the first that answers ends the request.
pub(super) fn all(head: &request::Parts, routed: &Routed<'_>, max_body: usize) -> Result<(), Refusal> {
    accept::admit(head, routed)?;
    content_coding::admit(head)?;
    body_size::admit(head, routed, max_body)
}
