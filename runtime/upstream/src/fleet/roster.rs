//! The endpoints that take calls: what a call reads.

use std::{sync::Arc, time::Duration};

use tidegate_traffic::balance::{Candidate, STEPS, SlowStart, Standing, Table};

use super::{Member, seat::Seat};
use crate::Config;

/// The endpoints that take calls, and how one is picked. Immutable.
#[derive(Debug)]
pub(crate) struct Roster {
    /// Counts the rosters of a fleet.
    pub(crate) version: u64,
    pub(super) built: Built,
    /// Places in it are places among the members.
    pub(crate) table: Table,
    /// The places of those that get one call at a time.
    pub(crate) on_trial: Box<[usize]>,
}

/// What a roster is made from.
#[derive(Clone, Debug, Default)]
pub(super) struct Built {
    members: Box<[Arc<Member>]>,
    /// Weight in tenths, standing, and whether it is on trial, in the same order.
    parts: Box<[(u32, Standing, bool)]>,
    /// When that changes by the passing of time. Not part of what it says.
    pub(super) due: Option<Duration>,
}

// === impl Built ===

impl Built {
    pub(super) fn new(config: &Config, seats: &[Seat], now: Duration) -> Self {
        let start = SlowStart { window: config.slow_start };
        let those = seats.iter().filter(|seat| seat.weight > 0);
        let part = |seat: &Seat| {
            let tenths = seat.added.map_or(STEPS, |added| start.tenths(now.saturating_sub(added)));
            (seat.weight.saturating_mul(tenths), seat.standing(), seat.trial.is_some())
        };
        let grows = |seat: &Seat| {
            let added = seat.added?;
            start.next(now.saturating_sub(added)).map(|age| added + age)
        };
        Self {
            members: those.clone().map(|seat| Arc::clone(&seat.member)).collect(),
            parts: those.clone().map(part).collect(),
            due: those.flat_map(|seat| [grows(seat), seat.record.until, seat.trial]).flatten().min(),
        }
    }
}

impl PartialEq for Built {
    fn eq(&self, other: &Self) -> bool {
        let same = |pair: (&Arc<Member>, &Arc<Member>)| Arc::ptr_eq(pair.0, pair.1);
        self.parts == other.parts
            && self.members.len() == other.members.len()
            && self.members.iter().zip(&other.members).all(same)
    }
}

// === impl Roster ===

impl Roster {
    pub(super) fn new(version: u64, config: &Config, built: Built) -> Self {
        let all = built.members.iter().zip(&built.parts);
        let candidates: Vec<_> = all
            .map(|(member, (weight, standing, _))| Candidate {
                name: &member.name,
                weight: *weight,
                standing: *standing,
            })
            .collect();
        let on_trial = built.parts.iter().enumerate().filter(|(_, part)| part.2).map(|(at, _)| at).collect();
        Self { version, table: Table::new(&config.balance, &candidates), on_trial, built }
    }

    pub(crate) fn members(&self) -> &[Arc<Member>] {
        &self.built.members
    }
}

impl Default for Roster {
    /// Nobody.
    fn default() -> Self {
        let table = Table::new(&Default::default(), &[]);
        Self { version: 0, built: Built::default(), table, on_trial: Box::default() }
    }
}
