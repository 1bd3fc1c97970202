//! RPCs whose request is a stream have no REST form yet.

use crate::answer::{Answer, Refusal};
use crate::snapshot::Routed;

pub(super) fn admit(routed: &Routed<'_>) -> Result<(), Refusal> {
    let binding = routed.matched.binding;
    if binding.client_streaming {
        let rpc = binding.rpc.trim_start_matches('/');
        return Err(Refusal::new(
            Answer::NotImplemented,
            format!("{rpc} takes a stream of requests, which REST cannot send here"),
        ));
    }
    Ok(())
}
