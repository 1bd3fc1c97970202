//! The rate limits that a request passes.

use super::Exchange;
use crate::limits::{self, Asking, Facts};
use crate::snapshot::Snapshot;
use http::HeaderMap;
use std::time::Duration;
use tidegate_telemetry::metrics::rate_limits::RateLimit as _;

impl Exchange {
    /// Asks these limits of `snapshot`, which is its own. Gives the time for which the request is to be held back, at
    /// most `patience`, or a refusal.
    pub(crate) fn ask<'a>(
        &'a mut self,
        snapshot: &'a Snapshot,
        set: &[usize],
        facts: &'a Facts<'a>,
        patience: Duration,
    ) -> Asking<'a> {
        snapshot.limits.ask(set, facts, patience, self.debug, &mut self.told)
    }

    /// A limit refused the request: those before give back what they took, if they are to.
    pub(crate) fn gives_back(&mut self, snapshot: &Snapshot) {
        if let Some(told) = &mut self.told {
            snapshot.limits.give_back(told);
        }
    }

    /// Tells the upstream what this gateway spent.
    pub(crate) fn write_spent(&self, headers: &mut HeaderMap) {
        limits::write_spent(self.told.as_deref(), &self.request_id, headers);
    }

    /// The limit that refused it, or that would have.
    pub(super) fn limited_by(&self) -> Option<&str> {
        Some(self.told.as_ref()?.by.as_ref()?.name())
    }
}
