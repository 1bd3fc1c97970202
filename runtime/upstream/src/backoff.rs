//! When to try again to connect.

use std::time::Duration;

/// The longest pause after the first failure. A restart of a local service takes longer than a few
/// of these, and a network blip less.
pub(crate) const FIRST: Duration = Duration::from_millis(50);

/// The longest pause after any failure: an endpoint that is back is used within a second.
pub(crate) const LONGEST: Duration = Duration::from_secs(1);

const _: () = assert!(FIRST.as_millis() < LONGEST.as_millis());

/// The pause after `failures` in a row (at least one): full jitter, a uniform share of a bound that
/// doubles from [`FIRST`] to [`LONGEST`], so that many clients of a dead endpoint do not come back
/// together (AWS Architecture Blog, "Exponential Backoff And Jitter").
pub(crate) fn pause(failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let bound = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    let share = (u128::from(nanos) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Duration, FIRST, LONGEST, pause};

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        let bounds: Vec<u128> = [1, 2, 3, 5, 6, u32::MAX].map(|failures| pause(failures, u64::MAX).as_millis()).into();
        // One below, because the share is of a half-open range.
        assert_eq!(bounds, [49, 99, 199, 799, 999, 999]);
        assert!(pause(1, u64::MAX) < FIRST && pause(9, u64::MAX) < LONGEST);
    }

    #[test]
    fn the_pause_is_the_random_share_of_the_bound() {
        let halves = [0, u64::MAX / 4 + 1, u64::MAX / 2 + 1].map(|random| pause(2, random));
        assert_eq!(halves, [0, 25, 50].map(Duration::from_millis));
    }
}
