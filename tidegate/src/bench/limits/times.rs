//! Times, counted in buckets that are at most 3 % wide.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const PARTS: u32 = 5;

/// A histogram that many callers count in.
#[derive(Debug)]
pub(crate) struct Times {
    buckets: Vec<AtomicU64>,
}

impl Default for Times {
    fn default() -> Self {
        Self { buckets: (0..(64 << PARTS)).map(|_| AtomicU64::new(0)).collect() }
    }
}

fn place(nanos: u64) -> usize {
    let magnitude = nanos.max(1).ilog2();
    let part = if magnitude >= PARTS { nanos >> (magnitude - PARTS) } else { nanos << (PARTS - magnitude) };
    ((magnitude << PARTS) as usize) + (part as usize & ((1 << PARTS) - 1))
}

fn upper(place: usize) -> u64 {
    let (magnitude, part) = (place >> PARTS, (place & ((1 << PARTS) - 1)) as u128);
    let upper = ((1 << PARTS) + part + 1) << magnitude >> PARTS;
    u64::try_from(upper).unwrap_or(u64::MAX)
}

impl Times {
    /// One more.
    pub(crate) fn count(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[place(nanos)].fetch_add(1, Relaxed);
    }

    /// The time that `share` of all are not longer than, rounded up to its bucket's end.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        Duration::from_nanos(found.map_or(0, upper))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Times;

    #[test]
    fn quantiles_are_at_most_a_bucket_too_long() {
        let times = Times::default();
        (1..=1000).for_each(|micros| times.count(Duration::from_micros(micros)));
        for (share, exact) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let (found, exact) = (times.quantile(share), Duration::from_micros(exact));
            assert!(found >= exact && found <= exact + exact / 32, "{share}: {found:?}");
        }
        assert_eq!(Times::default().quantile(0.5), Duration::ZERO);
    }
}
