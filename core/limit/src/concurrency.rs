//! How many at one time.

use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::quota::QuotaError;

/// The greatest limit: counts have 32 bits.
pub const MOST: u64 = u32::MAX as u64;

/// A bound on what is in flight, without its state. What was granted is given back by its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Concurrency {
    limit: u64,
}

impl Concurrency {
    /// At most `limit` units in flight.
    ///
    /// # Errors
    /// The limit is beyond [`MOST`].
    pub const fn new(limit: u64) -> Result<Self, QuotaError> {
        if limit > MOST {
            return Err(QuotaError::TooMany { what: "a limit of concurrency", most: MOST, given: limit });
        }
        Ok(Self { limit })
    }

    /// Units in flight at most.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// The same bound for somebody who must leave `units` of it to others.
    #[must_use]
    pub const fn leaving(self, units: u64) -> Self {
        Self { limit: self.limit.saturating_sub(units) }
    }

    /// Answers `ask` when `taken` units are in flight; what is in flight then, if it changed.
    #[inline]
    #[must_use]
    pub const fn decide(&self, taken: u64, ask: Ask) -> (Decision, Option<u64>) {
        let granted = ask.granted(self.limit.saturating_sub(taken));
        let spent = if matches!(ask.mode, Mode::Check) { 0 } else { granted };
        let retry = if granted == ask.cost {
            Retry::Now
        } else if ask.cost > self.limit {
            Retry::Never
        } else {
            Retry::OnRelease
        };
        let decision = Decision {
            asked: ask.cost,
            granted,
            remaining: self.limit.saturating_sub(taken + spent),
            retry,
            reset: Duration::ZERO,
            wait: Duration::ZERO,
            receipt: Receipt { cost: spent, at: 0, worth: spent, era: 0, shared: false },
        };
        (decision, if spent > 0 { Some(taken + spent) } else { None })
    }
}
