//! The memory that is held for clients, and what happens when there is too much of it.
//!
//! Every byte of a body that waits here is counted, in steps: a thread adds up what it holds and tells
//! the process when that makes a difference. So counting costs no shared cache line per request, and
//! is exact to [`STEP`] a thread.

use crate::config::limits;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tidegate_telemetry::metrics::Metrics;

/// What a thread holds or gives back before it says so, in bytes.
const STEP: i64 = 128 * 1024;

thread_local! {
    /// What this thread has not told yet.
    static UNTOLD: Cell<i64> = const { Cell::new(0) };
}

/// The memory of the process, and how much of it may be used.
#[derive(Debug)]
pub struct Budget {
    metrics: Arc<Metrics>,
    max: AtomicU64,
    shed: AtomicU64,
}

/// Bytes that are held; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    metrics: Arc<Metrics>,
    bytes: i64,
}

impl Budget {
    pub(crate) fn new(config: &limits::Memory, metrics: &Arc<Metrics>) -> Self {
        let budget = Self { metrics: Arc::clone(metrics), max: AtomicU64::new(0), shed: AtomicU64::new(0) };
        budget.set(config);
        budget
    }

    /// Takes on the limits of a new config.
    pub(crate) fn set(&self, config: &limits::Memory) {
        let max = config.max.unwrap_or(u64::MAX);
        let shed = max / 100 * u64::from(config.shed_percent);
        self.max.store(max, Relaxed);
        self.shed.store(if config.max.is_some() { shed } else { u64::MAX }, Relaxed);
        self.metrics.limits().memory.set_limit(config.max.unwrap_or(0));
    }

    /// Tells how large the process is, as the system sees it. To be called about once a second.
    pub fn set_resident(&self, bytes: u64) {
        self.metrics.limits().memory.set_resident(bytes);
    }

    /// There is little left: requests are refused.
    pub(crate) fn is_short(&self) -> bool {
        self.metrics.limits().memory.used() >= self.shed.load(Relaxed)
    }

    /// There is nothing left: connections are refused.
    pub(crate) fn is_full(&self) -> bool {
        self.metrics.limits().memory.used() >= self.max.load(Relaxed)
    }

    /// Counts nothing yet.
    pub(crate) fn hold(&self) -> Held {
        Held { metrics: Arc::clone(&self.metrics), bytes: 0 }
    }
}

impl Held {
    /// Holds so many bytes more.
    pub(crate) fn add(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes += bytes;
        tell(&self.metrics, bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes != 0 {
            tell(&self.metrics, -self.bytes);
        }
    }
}

fn tell(metrics: &Metrics, bytes: i64) {
    UNTOLD.with(|untold| {
        let sum = untold.get() + bytes;
        if sum.abs() < STEP {
            untold.set(sum);
        } else {
            untold.set(0);
            metrics.limits().memory.hold(sum);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::{Budget, STEP};
    use crate::config::limits::Memory;
    use std::sync::Arc;
    use tidegate_telemetry::metrics::Metrics;

    #[test]
    fn what_is_held_counts_until_it_is_dropped() {
        let metrics = Arc::new(Metrics::new("0", 1));
        let budget = Budget::new(&Memory { max: Some(10 * STEP as u64), shed_percent: 50 }, &metrics);
        let mut held = budget.hold();
        held.add(5 * STEP as usize);
        assert_eq!((budget.is_short(), budget.is_full()), (true, false));
        held.add(5 * STEP as usize);
        assert_eq!((budget.is_short(), budget.is_full()), (true, true));
        drop(held);
        assert_eq!((budget.is_short(), budget.is_full()), (false, false));
        budget.set_resident(10 * STEP as u64);
        assert!(budget.is_full());
    }

    #[test]
    fn without_a_limit_it_is_never_short() {
        let metrics = Arc::new(Metrics::new("0", 1));
        let budget = Budget::new(&Memory::default(), &metrics);
        budget.set_resident(1 << 60);
        assert!(!budget.is_short());
    }
}
