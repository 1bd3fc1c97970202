//! A breaker for each endpoint of an upstream: which endpoint a call goes to is known only where it is made.

use super::guard::{Admitted, Guard};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tidegate_upstream::Gate;

/// What lets one call pass to those endpoints whose breakers let it.
#[derive(Debug)]
pub(crate) struct ByEndpoint {
    guard: Arc<Guard>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By the breaker of the endpoint that it goes to. Dropped with the call, it gives its place back.
    admitted: Option<Admitted>,
    /// After which time the first of those that kept it away may let it pass, if that is known.
    retry_after: Option<Duration>,
}

impl ByEndpoint {
    pub(super) fn new(guard: &Arc<Guard>) -> Arc<Self> {
        Arc::new(Self { guard: Arc::clone(guard), held: Mutex::default() })
    }

    /// The call was made, or failed before: what lets the end of it be told to the breaker of its endpoint.
    pub(crate) fn take(&self) -> Option<Admitted> {
        self.held.lock().admitted.take()
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.held.lock().retry_after
    }
}

impl Gate for ByEndpoint {
    fn admit(&self, endpoint: &str) -> bool {
        // That an endpoint it was to go to before could not be connected to is known without a breaker.
        drop(self.take());
        let admitted = self.guard.admit(Some(endpoint));
        let mut held = self.held.lock();
        match admitted {
            Ok(admitted) => {
                held.admitted = Some(admitted);
                true
            }
            Err(after) => {
                held.retry_after = held.retry_after.into_iter().chain(after).min();
                false
            }
        }
    }
}
