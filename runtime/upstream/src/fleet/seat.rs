//! One endpoint, as it is decided about.

use std::{sync::Arc, time::Duration};

use tidegate_traffic::{
    balance::Standing,
    health::{Health, Machine},
    outlier::{Record, Trial},
};

use super::Member;
use crate::Config;

/// An endpoint, and what is known for and against it.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) member: Arc<Member>,
    pub(super) weight: u32,
    /// Since when its weight grows; `None` has grown.
    pub(super) added: Option<Duration>,
    pub(super) checks: Machine,
    /// What was wrong at the last check.
    pub(super) ill: Option<Arc<str>>,
    pub(super) record: Record,
    /// Why it was ejected last.
    pub(super) ejected: Option<Arc<str>>,
    /// What calls took elsewhere, if it was for being slow.
    pub(super) others: Option<Duration>,
    /// It is on trial, and till when at most.
    pub(super) trial: Option<Duration>,
}

impl Seat {
    pub(super) fn new(member: Arc<Member>, weight: u32) -> Self {
        let (checks, record) = (Machine::default(), Record::default());
        Self { member, weight, added: None, checks, ill: None, record, ejected: None, others: None, trial: None }
    }

    /// The same under another config: what it has ceased to ask for is forgotten.
    pub(super) fn taken_over(&self, config: &Config) -> Self {
        let mut seat = self.clone();
        if config.health.is_none() {
            (seat.checks, seat.ill) = (Machine::default(), None);
        }
        if config.outlier.is_none() {
            seat.record = Record::default();
            seat.trial = None;
            seat.member.tally.end_trial();
        }
        seat
    }

    pub(super) fn standing(&self) -> Standing {
        match (self.checks.health(), self.record.until) {
            (Health::Unhealthy, _) => Standing::Dead,
            (_, Some(_)) => Standing::Ejected,
            _ => Standing::Usable,
        }
    }

    /// Its ejection is over: it is on trial until then at most.
    pub(super) fn returned(&mut self, trial: Trial, until: Duration) {
        self.member.tally.begin_trial(Trial { others: self.others, ..trial });
        // Its weight grows when the trial is over.
        self.added = None;
        self.trial = Some(until);
    }

    /// Checks found it dead, and now find it well: what it was ejected for is likely to be over too.
    pub(super) fn recovered(&mut self, now: Duration) {
        if self.record.until.is_some() {
            self.record.end(now);
        }
        self.member.tally.clear();
        self.added = Some(now);
        self.trial = None;
    }

    /// Ends a trial that has lasted long enough, or that its calls ended. Says whether it is over.
    pub(super) fn tried(&mut self, now: Duration) -> bool {
        let over = self.trial.is_some_and(|until| until <= now || !self.member.tally.is_on_trial());
        if over {
            self.member.tally.end_trial();
            self.trial = None;
            self.added = Some(now);
        }
        over
    }
}
