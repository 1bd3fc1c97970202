//! When an export that failed is tried again.

use std::time::Duration;

/// The wait after the first failure; it doubles with each further one.
pub const FIRST: Duration = Duration::from_millis(500);
/// The longest wait, whatever the collector asks for.
pub const LONGEST: Duration = Duration::from_secs(30);
/// How often one batch is sent before it is given up: with the waits between, for about a minute.
pub const ATTEMPTS: u32 = 7;

/// How long to wait after `failures` attempts of one batch failed (from 1 on), or `None` to give it up.
///
/// `asked` is what the collector asked for. Of our own wait half is fixed and half is drawn by `random`, so
/// that gateways that lost one collector do not come back at once.
#[must_use]
pub fn wait(failures: u32, asked: Option<Duration>, random: u64) -> Option<Duration> {
    if failures >= ATTEMPTS {
        return None;
    }
    let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let most = doubled.min(LONGEST);
    let share = u32::try_from(random >> 32).unwrap_or(0);
    let drawn = most / 2 + most.mul_f64(f64::from(share) / f64::from(u32::MAX)) / 2;
    Some(asked.map_or(drawn, |asked| asked.clamp(drawn, LONGEST)))
}
