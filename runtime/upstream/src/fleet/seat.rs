//! One endpoint, as it is decided about.

use std::{sync::Arc, time::Duration};

use tidegate_traffic::{
    balance::Standing,
    health::{Health, Machine},
    outlier::Record,
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
}

impl Seat {
    pub(super) fn new(member: Arc<Member>, weight: u32) -> Self {
        let (checks, record) = (Machine::default(), Record::default());
        Self { member, weight, added: None, checks, ill: None, record, ejected: None }
    }

    /// The same under another config: what it has ceased to ask for is forgotten.
    pub(super) fn taken_over(&self, config: &Config) -> Self {
        let mut seat = self.clone();
        if config.health.is_none() {
            (seat.checks, seat.ill) = (Machine::default(), None);
        }
        if config.outlier.is_none() {
            seat.record = Record::default();
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

    /// Its ejection is over.
    pub(super) fn returned(&mut self, now: Duration) {
        self.member.tally.clear();
        self.added = Some(now);
    }

    /// Checks found it dead, and now find it well: what it was ejected for is likely to be over too.
    pub(super) fn recovered(&mut self, now: Duration) {
        if self.record.until.is_some() {
            self.record.end(now);
        }
        self.returned(now);
    }
}
