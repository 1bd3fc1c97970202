//! Latencies in buckets whose width grows with the value, as HDR histograms do it.

use std::time::Duration;

/// Buckets for each doubling: values are kept within 1/64, 1.6 %.
const PER_DOUBLING: u64 = 64;
const DOUBLINGS: usize = 40;

/// Counts of durations from 1 ns to about 18 minutes (longer ones count as that).
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; DOUBLINGS * 64], count: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: Duration) {
        let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        let last = self.buckets.len() - 1;
        self.buckets[bucket(nanos).min(last)] += 1;
        self.count += 1;
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the other's counts.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
    }

    /// The lower bound of the bucket that holds the value at this share (0 to 1) of all; zero if
    /// nothing was counted.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let mut before = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            before += count;
            if before > 0 && before as f64 >= share * self.count as f64 {
                return Duration::from_nanos(lower_bound(index));
            }
        }
        Duration::ZERO
    }
}

fn bucket(value: u64) -> usize {
    let shift = (64 - value.leading_zeros()).saturating_sub(7);
    // The top seven bits of the value say where in its doubling it stands.
    let top = value >> shift;
    (u64::from(shift) * PER_DOUBLING + top) as usize
}

fn lower_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * PER_DOUBLING {
        return index;
    }
    let shift = index / PER_DOUBLING - 1;
    (index - shift * PER_DOUBLING) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_that_begins_at_most_a_64th_below_it() {
        let mut value = 0_u64;
        while value < 1 << 41 {
            let low = lower_bound(bucket(value));
            assert!(low <= value, "{value} is below its bucket's {low}");
            assert!(value - low <= value / 64, "{value} is too far from {low}");
            assert!(bucket(value) <= bucket(value + 1), "{value}");
            value += 1 + value / 97;
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut histogram = Histogram::default();
        for micros in 1..=100_u64 {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.count(), 100);
        let p50 = histogram.quantile(0.5).as_nanos();
        assert!((49_000..=50_000).contains(&p50), "{p50}");
        let p99 = histogram.quantile(0.99).as_nanos();
        assert!((97_000..=99_000).contains(&p99), "{p99}");
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }
}
