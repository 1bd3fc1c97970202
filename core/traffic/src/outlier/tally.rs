//! What is counted of an endpoint's calls.

use super::trial::{Shared, Step};
use super::{Sample, Settings, Trial, Why};
use crate::sync::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Well, as far as the endpoint is concerned.
    Fine,
    /// The service failed.
    Failed,
    /// The service could not be asked.
    Unreached,
}

/// What the end of a call says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sign {
    /// It is to be ejected.
    Eject(Why),
    /// It was [on trial](Trial), which is over: it is as good as the others.
    Passed,
}

/// The counts of an endpoint, shared by threads. Each is right; together they may be of two moments.
#[derive(Debug, Default)]
pub struct Tally {
    errors: AtomicU32,
    gateway: AtomicU32,
    calls: AtomicU32,
    failed: AtomicU32,
    timed: AtomicU32,
    micros: AtomicU64,
    trial: Shared,
}

impl Tally {
    /// Counts a call. `took` is the time to the first byte of its reply, or till nobody waited for it any more; `None` of a
    /// call whose time says nothing of the endpoint, as of a long upload. Gives a reason to eject the endpoint; again, after
    /// as many failures more, if it was not. On trial, each failure that it may not have is one.
    pub fn add(&self, settings: &Settings, outcome: Outcome, took: Option<Duration>) -> Option<Sign> {
        if settings.slow.is_some()
            && let Some(took) = took
        {
            self.timed.fetch_add(1, Relaxed);
            self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
        if settings.success_rate.is_some() {
            self.calls.fetch_add(1, Relaxed);
            if outcome != Outcome::Fine {
                self.failed.fetch_add(1, Relaxed);
            }
        }
        let gateway = row(&self.gateway, outcome == Outcome::Unreached, settings.consecutive_gateway_errors);
        let errors = row(&self.errors, outcome != Outcome::Fine, settings.consecutive_errors);
        let reason = errors.map(Why::Errors).or(gateway.map(Why::GatewayErrors));
        if self.trial.is_on()
            && let Some(step) = self.trial.step(settings.looks_at(outcome), took)
        {
            return Some(match step {
                Step::Failed => Sign::Eject(Why::Again),
                Step::Over { micros, timed } => match self.trial.slow(settings, micros, timed) {
                    Some(slow) => Sign::Eject(slow),
                    None => reason.map_or(Sign::Passed, Sign::Eject),
                },
            });
        }
        reason.map(Sign::Eject)
    }

    /// It is on trial from here on.
    pub fn begin_trial(&self, trial: Trial) {
        self.clear();
        self.trial.begin(trial);
    }

    /// It is not, any more.
    pub fn end_trial(&self) {
        self.trial.end();
    }

    /// Whether it is.
    #[must_use]
    pub fn is_on_trial(&self) -> bool {
        self.trial.is_on()
    }

    /// The counts since the last time; they begin anew.
    pub fn take(&self) -> Sample {
        let micros = self.micros.swap(0, Relaxed);
        let timed = self.timed.swap(0, Relaxed);
        Sample { calls: self.calls.swap(0, Relaxed), failed: self.failed.swap(0, Relaxed), timed, micros }
    }

    /// Begins anew with all of it; no trial is under way.
    pub fn clear(&self) {
        self.trial.end();
        self.errors.store(0, Relaxed);
        self.gateway.store(0, Relaxed);
        self.take();
    }
}

/// Counts what happens in a row; gives the count each time it is a multiple of the limit.
fn row(count: &AtomicU32, happened: bool, limit: Option<u32>) -> Option<u32> {
    let limit = limit?;
    if !happened {
        // Almost always it is nothing: to look is cheaper than to write.
        if count.load(Relaxed) != 0 {
            count.store(0, Relaxed);
        }
        return None;
    }
    let now = count.fetch_add(1, Relaxed).wrapping_add(1);
    now.is_multiple_of(limit.max(1)).then_some(now)
}
