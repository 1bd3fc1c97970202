//! Latencies in bounded room.

use std::time::Duration;

/// A bucket is a 32nd of a power of two wide: 3.2 % at most between its ends.
const PARTS_BITS: u32 = 5;
const PARTS: usize = 1 << PARTS_BITS;
/// Powers of two of microseconds that are told apart: up to 71 minutes.
const POWER_MAX: u32 = 31;

/// Buckets of a [`Sketch`].
pub const BUCKETS: usize = (POWER_MAX - PARTS_BITS + 2) as usize * PARTS;

/// A histogram of latencies with fixed buckets, from 1 µs to 71 minutes; what is longer counts as that.
///
/// A quantile is off by at most a 32nd. One has no more than 7 KiB, and none until the first latency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    counts: Vec<u64>,
    count: u64,
}

/// The bucket that a latency falls into.
#[must_use]
pub fn bucket_of(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).min((1 << (POWER_MAX + 1)) - 1);
    if micros < PARTS as u64 {
        return micros as usize;
    }
    let power = micros.ilog2();
    let part = (micros >> (power - PARTS_BITS)) as usize - PARTS;
    (power - PARTS_BITS + 1) as usize * PARTS + part
}

/// The longest latency of a bucket.
fn upper_end(bucket: usize) -> Duration {
    if bucket < PARTS {
        return Duration::from_micros(bucket as u64);
    }
    let shift = (bucket / PARTS - 1) as u32;
    let part = (bucket % PARTS + PARTS) as u64;
    Duration::from_micros(((part + 1) << shift) - 1)
}

impl Sketch {
    /// Counts one.
    pub fn observe(&mut self, latency: Duration) {
        self.add_to(bucket_of(latency), 1);
    }

    /// Adds so many to a bucket; none beyond the last.
    pub fn add_to(&mut self, bucket: usize, count: u64) {
        if count == 0 || bucket >= BUCKETS {
            return;
        }
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(count);
        self.count = self.count.saturating_add(count);
    }

    /// Takes in what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (bucket, count) in other.buckets() {
            self.add_to(bucket, count);
        }
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The buckets that are not empty, and how many each has.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// The latency of the one with this rank, the shortest having 1; the longest if there are not so many, and
    /// `None` if there is none.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<Duration> {
        let rank = rank.clamp(1, self.count.max(1));
        let mut seen = 0;
        self.buckets().find_map(|(bucket, count)| {
            seen = count.saturating_add(seen);
            (seen >= rank).then(|| upper_end(bucket))
        })
    }

    /// The latency that 99 of 100 do not exceed.
    #[must_use]
    pub fn p99(&self) -> Option<Duration> {
        self.at_rank(self.count - self.count / 100)
    }
}
