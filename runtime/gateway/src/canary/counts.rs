//! What the two sides of a plan did since somebody looked last: counted by all workers, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidegate_traffic::plan::{BUCKETS, Sample, bucket_of};

/// A side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those that the rule takes.
    Canary,
    /// Those that it would take with a larger share.
    Stable,
}

/// The calls of one side.
#[derive(Debug)]
pub(super) struct Counts {
    errors: AtomicU64,
    /// By latency; their sum is the number of calls.
    latencies: Box<[AtomicU64]>,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self { errors: AtomicU64::new(0), latencies: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn add(&self, failed: bool, latency: Duration) {
        self.latencies[bucket_of(latency)].fetch_add(1, Ordering::Relaxed);
        if failed {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls and errors that were not taken yet.
    pub(super) fn waiting(&self) -> (u64, u64) {
        let calls = self.latencies.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        (calls, self.errors.load(Ordering::Relaxed))
    }

    /// Takes what was counted. Of a call that is counted at this moment the failure may come with the next
    /// taking.
    pub(super) fn take(&self) -> Sample {
        let mut sample = Sample { errors: self.errors.swap(0, Ordering::Relaxed), ..Sample::default() };
        for (bucket, count) in self.latencies.iter().enumerate() {
            // Most are empty: reading is cheaper than writing.
            if count.load(Ordering::Relaxed) > 0 {
                sample.latencies.add_to(bucket, count.swap(0, Ordering::Relaxed));
            }
        }
        sample.calls = sample.latencies.count();
        sample
    }
}
