//! How long a store took to answer.

use std::time::Duration;

use crate::ports::LATENCY_BOUNDS_US;

/// Counts of times until answers, for [`Standing`](crate::ports::Standing).
#[derive(Debug, Default)]
pub struct Times {
    /// Up to each of [`LATENCY_BOUNDS_US`], and beyond them.
    pub counts: [u64; LATENCY_BOUNDS_US.len() + 1],
    /// The sum of all.
    pub sum: Duration,
}

impl Times {
    /// Counts one.
    pub fn took(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = LATENCY_BOUNDS_US.iter().position(|bound| micros <= *bound).unwrap_or(LATENCY_BOUNDS_US.len());
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(time);
    }
}
