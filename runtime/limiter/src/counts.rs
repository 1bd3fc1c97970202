//! What is counted of limits, and of calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tidegate_telemetry::metrics::rate_limit_service::{Calls, Decisions, RateLimitService};

/// The most series of one limit whose values are told; further values are counted together.
const VALUES: usize = 1000;

/// What a limit decided. One for all configs in which it has the same path.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    admitted: AtomicU64,
    near: AtomicU64,
    over: AtomicU64,
    shadow: AtomicU64,
    hits: AtomicU64,
    /// Somebody asked without paying: what is charged comes afterwards.
    pub(crate) pays_later: AtomicBool,
    /// Values that are told apart, if they are.
    values: Mutex<HashMap<Box<str>, Arc<Self>>>,
}

/// What is counted of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Admitted {
        hits: u64,
        near: bool,
    },
    Over,
    /// It would have been over the limit if that were enforced.
    Shadow,
}

impl Tally {
    pub(crate) fn count(&self, said: Said) {
        match said {
            Said::Admitted { hits, near } => {
                self.admitted.fetch_add(1, Ordering::Relaxed);
                self.hits.fetch_add(hits, Ordering::Relaxed);
                if near {
                    self.near.fetch_add(1, Ordering::Relaxed);
                }
            }
            Said::Over => drop(self.over.fetch_add(1, Ordering::Relaxed)),
            Said::Shadow => drop(self.shadow.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// That of values of its own; its own where there are too many already.
    pub(crate) fn of_values(self: &Arc<Self>, values: &str) -> Arc<Self> {
        let mut all = self.values.lock();
        if let Some(known) = all.get(values) {
            return Arc::clone(known);
        }
        if all.len() >= VALUES {
            return Arc::clone(self);
        }
        let new = Arc::new(Self::default());
        all.insert(values.into(), Arc::clone(&new));
        new
    }

    fn decisions(&self) -> Decisions {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Decisions {
            admitted: of(&self.admitted),
            near_limit: of(&self.near),
            over_limit: of(&self.over),
            shadow: of(&self.shadow),
            hits: of(&self.hits),
        }
    }
}

/// How calls ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Ok,
    OverLimit,
    UnknownDomain,
    Invalid,
    StoreFailed,
    Throttle,
    Throttled,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: [AtomicU64; 7],
    /// By domain and path, those of the rules in force.
    tallies: Mutex<HashMap<(Box<str>, Box<str>), Arc<Tally>>>,
}

impl Counts {
    pub(crate) fn call(&self, call: Call) {
        self.calls[call as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The tallies of the rules in force now.
    pub(crate) fn known(&self) -> HashMap<(Box<str>, Box<str>), Arc<Tally>> {
        self.tallies.lock().clone()
    }

    /// From here on these are told.
    pub(crate) fn replace(&self, tallies: HashMap<(Box<str>, Box<str>), Arc<Tally>>) {
        *self.tallies.lock() = tallies;
    }
}

impl RateLimitService for Counts {
    fn calls(&self) -> Calls {
        let of = |call: Call| self.calls[call as usize].load(Ordering::Relaxed);
        Calls {
            ok: of(Call::Ok),
            over_limit: of(Call::OverLimit),
            unknown_domain: of(Call::UnknownDomain),
            invalid: of(Call::Invalid),
            store_failed: of(Call::StoreFailed),
            throttle_admitted: of(Call::Throttle),
            throttle_refused: of(Call::Throttled),
        }
    }

    fn decisions(&self) -> Vec<(String, String, Decisions)> {
        let mut all = Vec::new();
        for ((domain, path), tally) in &*self.tallies.lock() {
            all.push((domain.to_string(), path.to_string(), tally.decisions()));
            for (values, tally) in &*tally.values.lock() {
                all.push((domain.to_string(), values.to_string(), tally.decisions()));
            }
        }
        all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        all
    }
}
