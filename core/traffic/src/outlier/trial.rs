//! An endpoint whose ejection is over, until it is known whether it is well.
//!
//! It gets one call at a time, whoever picks endpoints sees to that, until [`CALLS`] of them have ended. A failure more than
//! it [may have](Trial::may_fail) ejects it at once; if it was ejected because it was slow, so does the mean of their times.

use super::{Sample, Settings, Why, interval};
use crate::sync::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How many calls make a trial.
pub const CALLS: u32 = 10;

/// How many times as often as the others an endpoint on trial may fail: ten calls are few, and chance is great.
const TOLERANCE: f64 = 3.0;

/// What an endpoint is measured by that is on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// So many of its calls may fail.
    pub may_fail: u32,
    /// What calls took elsewhere when it was ejected for being slow.
    pub others: Option<Duration>,
}

/// What has become of a trial by the end of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Failed,
    /// All calls have ended. The sum of times, and of how many.
    Over {
        micros: u64,
        timed: u64,
    },
}

/// The calls that are left, and how many of them may fail: one number, so that threads agree on who is the last.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// `calls << 32 | failures`; 0 if it is not on trial.
    left: AtomicU64,
    micros: AtomicU64,
    timed: AtomicU64,
    /// In microseconds; 0 is nothing.
    others: AtomicU64,
}

impl Trial {
    /// Of an endpoint that comes back to others of which these samples are: it may fail as they do.
    #[must_use]
    pub fn beside(others: &[Sample]) -> Self {
        let calls: u64 = others.iter().map(|sample| u64::from(sample.calls)).sum();
        let failed: u64 = others.iter().map(|sample| u64::from(sample.failed.min(sample.calls))).sum();
        let share = failed as f64 / calls.max(1) as f64;
        let may_fail = (share * f64::from(CALLS) * TOLERANCE).ceil().min(f64::from(CALLS));
        Self { may_fail: may_fail as u32, others: None }
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn begin(&self, trial: Trial) {
        self.micros.store(0, Relaxed);
        self.timed.store(0, Relaxed);
        self.others.store(trial.others.map_or(0, micros), Relaxed);
        self.left.store(u64::from(CALLS) << 32 | u64::from(trial.may_fail), Relaxed);
    }

    pub(super) fn end(&self) {
        self.left.swap(0, Relaxed);
    }

    /// Costs a read while it is not on trial.
    pub(super) fn is_on(&self) -> bool {
        self.left.load(Relaxed) != 0
    }

    /// A call has ended. Of threads that say so at once one is told that it was the last.
    pub(super) fn step(&self, failed: bool, took: Option<Duration>) -> Option<Step> {
        if let Some(took) = took {
            self.micros.fetch_add(micros(took), Relaxed);
            self.timed.fetch_add(1, Relaxed);
        }
        let before = self.left.fetch_update(Relaxed, Relaxed, |left| match left & u64::from(u32::MAX) {
            _ if left == 0 => None,
            // It stays as it is: should the endpoint not be ejected, the next failure says so again.
            0 if failed => Some(left),
            failures => Some(one_less(left, failures, failed)),
        });
        match before {
            Err(_) => None,
            Ok(before) if failed && before & u64::from(u32::MAX) == 0 => Some(Step::Failed),
            Ok(before) if before >> 32 == 1 => {
                Some(Step::Over { micros: self.micros.load(Relaxed), timed: self.timed.load(Relaxed) })
            }
            Ok(_) => None,
        }
    }

    /// Whether calls of a trial that took so long were too slow.
    pub(super) fn slow(&self, settings: &Settings, micros: u64, timed: u64) -> Option<Why> {
        let others = Some(self.others.load(Relaxed)).filter(|others| *others > 0).map(Duration::from_micros)?;
        let took = Duration::from_micros(micros / timed.max(1));
        let slow = settings.slow.is_some_and(|times| timed > 0 && interval::is_slow(took, others, times));
        slow.then_some(Why::Slow { took, others })
    }
}

/// A call less, which may have been one of those that may fail; nothing is left after the last.
fn one_less(left: u64, failures: u64, failed: bool) -> u64 {
    let calls = (left >> 32) - 1;
    let failures = failures - u64::from(failed);
    if calls == 0 { 0 } else { calls << 32 | failures }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
