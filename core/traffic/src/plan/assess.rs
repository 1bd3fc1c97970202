//! Whether a canary is good enough.
//!
//! Errors: it fails as soon as more calls failed than may of all that it had, and of [`Plan::min_samples`] if it
//! had less; so what cannot become good any more is not waited for.
//!
//! Latency: the p99 of some hundred calls is an uncertain number: of two sides that are alike, one is 1.2 times
//! the other every few looks. So the canary fails if its p99 is higher for sure: the lowest that it is likely to
//! be above the ratio times the highest that the stable side's is likely to be, both at three standard
//! deviations of the rank. It passes if the p99s themselves are within the ratio; in between it goes on to be
//! measured.

use super::{Plan, Sketch, State};
use crate::share::Share;
use std::fmt;
use std::time::Duration;

/// What a plan thinks of its canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It ended, one way or the other.
    Over,
    /// The step takes so much longer.
    Holding {
        /// Until the hold is over.
        left: Duration,
    },
    /// A side has had too few calls to be judged.
    TooFewSamples {
        /// Of the canary.
        canary: u64,
        /// Of the stable side; the latencies that are known, of this step or of one before.
        stable: u64,
        /// Of each.
        needed: u64,
    },
    /// The p99 is above what it may be, but not for sure.
    Undecided {
        /// Of the canary.
        canary: Duration,
        /// Of the stable side.
        stable: Duration,
    },
    /// It may go on.
    Passed,
    /// It may not.
    Failed(Failure),
}

/// Why a canary is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Too many calls failed.
    Errors {
        /// So many.
        errors: u64,
        /// Of so many.
        calls: u64,
        /// What may fail.
        allowed: Share,
    },
    /// They take too long.
    Slow {
        /// The p99 of the canary.
        canary: Duration,
        /// The p99 of the stable side.
        stable: Duration,
        /// How much higher it may be, in thousandths.
        allowed_milli: u32,
    },
}

/// How sure a p99 must be, in standard deviations.
const SIGMAS: f64 = 3.0;

impl Plan {
    /// What the plan thinks of its canary now.
    #[must_use]
    pub fn standing(&self, state: &State, now: Duration) -> Standing {
        if !state.phase.is_open() {
            return Standing::Over;
        }
        let (calls, errors) = (state.canary.calls, state.canary.errors);
        if self.max_error_rate.is_exceeded(errors, calls.max(self.min_samples)) {
            return Standing::Failed(Failure::Errors { errors, calls, allowed: self.max_error_rate });
        }
        let (ours, theirs) = (&state.canary.latencies, self.stable_latencies(state));
        let known = theirs.map_or(0, Sketch::count);
        let latency = match theirs {
            Some(theirs) if ours.count().min(known) >= self.min_samples => self.compare(ours, theirs),
            _ => None,
        };
        if let Some(failed @ Standing::Failed(_)) = latency {
            return failed;
        }
        let over = now.saturating_sub(state.entered);
        if over < self.hold {
            return Standing::Holding { left: self.hold - over };
        }
        // With the whole traffic on the canary nothing is left to compare it with, however long one waits.
        let compares = theirs.is_some() || self.share(state) < Share::ALL;
        let enough = calls >= self.min_samples && (!compares || ours.count().min(known) >= self.min_samples);
        if !enough {
            return Standing::TooFewSamples { canary: calls, stable: known, needed: self.min_samples };
        }
        latency.unwrap_or(Standing::Passed)
    }

    /// Those of this step if there are enough, else those of the last step that had enough.
    fn stable_latencies<'s>(&self, state: &'s State) -> Option<&'s Sketch> {
        let now = &state.stable.latencies;
        if now.count() >= self.min_samples {
            return Some(now);
        }
        state.baseline.as_ref().or((now.count() > 0 && self.share(state) < Share::ALL).then_some(now))
    }

    fn compare(&self, ours: &Sketch, theirs: &Sketch) -> Option<Standing> {
        let (canary, stable) = (ours.p99()?, theirs.p99()?);
        let low = ours.at_rank(rank(ours.count(), -SIGMAS))?;
        let high = theirs.at_rank(rank(theirs.count(), SIGMAS))?;
        if self.is_slower(low, high) {
            let allowed_milli = self.max_p99_ratio_milli;
            return Some(Standing::Failed(Failure::Slow { canary, stable, allowed_milli }));
        }
        if self.is_slower(canary, stable) {
            Some(Standing::Undecided { canary, stable })
        } else {
            Some(Standing::Passed)
        }
    }

    fn is_slower(&self, canary: Duration, stable: Duration) -> bool {
        canary.as_nanos() * 1000 > stable.as_nanos() * u128::from(self.max_p99_ratio_milli)
    }
}

/// The rank of the p99 of so many, moved by so many standard deviations of it.
fn rank(count: u64, sigmas: f64) -> u64 {
    let count = count as f64;
    let moved = count * 0.99 + sigmas * (count * 0.99 * 0.01).sqrt();
    // Positive and below 2⁵³.
    moved.ceil().max(1.0) as u64
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { errors, calls, allowed } => {
                write!(f, "{errors} of {calls} calls failed, more than {allowed}")
            }
            Self::Slow { canary, stable, allowed_milli } => {
                let ratio = f64::from(*allowed_milli) / 1000.0;
                write!(f, "p99 is {canary:.1?}, more than {ratio} times the {stable:.1?} of the stable side")
            }
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over => f.write_str("over"),
            Self::Holding { left } => write!(f, "good so far; the step takes {left:.0?} more"),
            Self::TooFewSamples { canary, stable, needed } => {
                write!(f, "too few calls to judge: {canary} of the canary, {stable} of the stable side, of {needed}")
            }
            Self::Undecided { canary, stable } => {
                write!(f, "p99 is {canary:.1?} against {stable:.1?} of the stable side: too close to tell")
            }
            Self::Passed => f.write_str("good"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}
