//! What whoever makes a call knows of it, and the choice of an endpoint needs: extensions of the request.

use std::{fmt, sync::Arc};

use smallvec::SmallVec;

/// The endpoints that a request was sent to before: a retry goes to another one, if there is one.
///
/// An extension of the request, by the addresses that [`CallError::endpoint`](crate::CallError::endpoint) and
/// [`ResponseBody::endpoint`](crate::ResponseBody::endpoint) tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(SmallVec<[Arc<str>; 2]>);

/// Where a request stands on the ring of an upstream that keeps callers at one endpoint
/// (`ring_hash`). An extension of the request; without it the place is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity(pub u64);

/// The deadline of the call is what the client asked for, so that missing it is not held against the endpoint: a
/// client that asks for nothing could else take endpoints away from all others. An extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientDeadline;

/// Whoever has a say in which endpoint a request goes to.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Whether it may go to this one. It goes to the last one for which that is so, or nowhere; it is asked
    /// again if it cannot go there after all.
    fn admit(&self, endpoint: &str) -> bool;
}

/// The gate of a request, asked right before it takes a place on a connection. An extension of the request.
#[derive(Clone, Debug)]
pub struct Gated(pub Arc<dyn Gate>);

// === impl Tried ===

impl Tried {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers an endpoint, once.
    pub fn add(&mut self, endpoint: &str) {
        if !self.has(endpoint) {
            self.0.push(endpoint.into());
        }
    }

    /// Whether the request was sent to this one.
    #[must_use]
    pub fn has(&self, endpoint: &str) -> bool {
        self.0.iter().any(|tried| **tried == *endpoint)
    }

    /// Whether it was sent to none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The hints of one request.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    pub(crate) tried: Tried,
    pub(crate) affinity: Option<u64>,
    pub(crate) client_deadline: bool,
    gate: Option<Gated>,
}

impl Hints {
    /// Takes them out of a request, together with whatever else would be cloned and never sent.
    pub(crate) fn take(extensions: &mut http::Extensions) -> Self {
        let hints = if extensions.is_empty() {
            Self::default()
        } else {
            Self {
                tried: extensions.remove::<Tried>().unwrap_or_default(),
                affinity: extensions.get::<Affinity>().map(|place| place.0),
                client_deadline: extensions.get::<ClientDeadline>().is_some(),
                gate: extensions.remove::<Gated>(),
            }
        };
        extensions.clear();
        hints
    }

    /// Whether the request may go to this endpoint.
    pub(crate) fn may_go_to(&self, endpoint: &str) -> bool {
        self.gate.as_ref().is_none_or(|gate| gate.0.admit(endpoint))
    }
}
