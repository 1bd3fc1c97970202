//! An edge that is believed.

use crate::clock;
use parking_lot::Mutex;
use std::fmt;
use tidegate_limit::Keys;
use tidegate_limit::spent::{Proof, Seal, Seen, Short};

/// An edge that shares a secret with this application: what it says in the header
/// [`spent::HEADER`](crate::limit::spent::HEADER) that it spent is not charged again.
pub struct Trust {
    seal: Seal,
    seen: Mutex<Seen>,
}

/// How often one request is taken, unless something else is said: tries of the edge, and calls of one request.
const USES: u32 = 8;
/// Requests that are remembered for ten seconds; further ones are charged.
const REMEMBERED: usize = 1 << 18;

impl Trust {
    /// An edge that signs with this secret (`signed` of a limit in the gateway's config), at least 16 bytes.
    ///
    /// # Errors
    /// It is shorter.
    pub fn new(secret: &str) -> Result<Self, Short> {
        Ok(Self { seal: Seal::new(secret)?, seen: Mutex::new(Seen::new(USES, REMEMBERED)) })
    }

    /// One request is taken so often: as many tries as the edge makes, times the calls that a request becomes.
    #[must_use]
    pub fn uses(self, uses: u32) -> Self {
        Self { seen: Mutex::new(Seen::new(uses, REMEMBERED)), ..self }
    }

    pub(super) fn keys(&self) -> Keys {
        self.seal.keys()
    }

    /// What is believed. A request without an id is as good as any other, so nothing is.
    pub(super) fn proof(&self, text: &str, request: &str) -> Option<Proof> {
        let now = clock::unix();
        let proof = self.seal.read(text, request, now).ok().filter(|_| !request.is_empty())?;
        let takes = self.seen.lock().takes(&proof, now);
        takes.then_some(proof)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}
