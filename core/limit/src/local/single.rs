//! A bucket without keys: one atomic word.

use std::time::Duration;

use crate::ask::{Ask, Decision, Receipt};
use crate::gcra::Gcra;
use crate::local::atomic::{AtomicU64, Ordering};
use crate::quota::Scale;

/// The state of a limit that has no key, such as all requests of a listener.
#[derive(Debug)]
pub struct Single(AtomicU64);

impl Default for Single {
    fn default() -> Self {
        Self::new()
    }
}

impl Single {
    /// A full bucket.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Answers `ask` under `bucket`, whose scale is [`Scale::Local`]. A refusal writes nothing.
    #[inline]
    #[must_use]
    pub fn decide(&self, now: Duration, bucket: &Gcra, ask: Ask) -> Decision {
        let now = Scale::Local.elapsed(now);
        let mut tat = self.0.load(Ordering::Relaxed);
        loop {
            let (decision, next) = bucket.decide(tat, now, ask);
            let Some(next) = next else { return decision };
            match self.0.compare_exchange_weak(tat, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return decision,
                Err(newer) => tat = newer,
            }
        }
    }

    /// Whether `cost` is admitted, and spent then: [`Single::decide`] for callers who tell nobody what remains, in fewer
    /// instructions.
    #[inline]
    #[must_use]
    pub fn admits(&self, now: Duration, bucket: &Gcra, cost: u64) -> bool {
        let now = Scale::Local.elapsed(now);
        let mut tat = self.0.load(Ordering::Relaxed);
        while let Some(next) = bucket.spend(tat, now, cost) {
            if next == tat {
                return true;
            }
            match self.0.compare_exchange_weak(tat, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(newer) => tat = newer,
            }
        }
        false
    }

    /// Gives back what was spent.
    pub fn refund(&self, now: Duration, bucket: &Gcra, receipt: Receipt) {
        let now = Scale::Local.elapsed(now);
        let mut tat = self.0.load(Ordering::Relaxed);
        while let Some(next) = bucket.refund(tat, now, receipt) {
            match self.0.compare_exchange_weak(tat, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(newer) => tat = newer,
            }
        }
    }
}
