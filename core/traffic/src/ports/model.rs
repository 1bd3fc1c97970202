//! What a board does, without a store: for tests, and to be compared with.

use super::{BoardError, Over, PIECES, Piece, Posted, Seen, Told};
use crate::plan::State;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A board for any number of gateways, in virtual time. Gateways go by their names.
#[derive(Clone, Debug)]
pub struct Model {
    /// How long a gateway counts as alive.
    life: Duration,
    now: Duration,
    /// Until when each gateway is alive.
    alive: BTreeMap<String, Duration>,
    plans: BTreeMap<String, Entry>,
    /// The number of the last change.
    change: u64,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    leader: Option<(String, u64)>,
    posted: Option<Posted>,
    /// By the one who told it.
    told: Vec<(String, Piece)>,
    gateways: BTreeSet<String>,
}

impl Model {
    /// An empty board, at time 0.
    #[must_use]
    pub fn new(life: Duration) -> Self {
        Self { life, now: Duration::ZERO, alive: BTreeMap::new(), plans: BTreeMap::new(), change: 0 }
    }

    /// Time goes on, and whoever was silent for too long is gone.
    pub fn advance(&mut self, now: Duration) {
        self.now = now.max(self.now);
        let alive = &mut self.alive;
        alive.retain(|_, until| *until > self.now);
        for entry in self.plans.values_mut() {
            entry.gateways.retain(|gateway| alive.contains_key(gateway));
            entry.told.retain(|(by, _)| alive.contains_key(by));
            entry.leader = entry.leader.take().filter(|(leader, _)| alive.contains_key(leader));
        }
    }

    /// As [`Board::alive`](super::Board::alive).
    pub fn alive(&mut self, gateway: &str) {
        self.alive.insert(gateway.to_owned(), self.now + self.life);
    }

    /// As [`Board::look`](super::Board::look).
    ///
    /// # Errors
    /// The gateway is not alive.
    pub fn look(&mut self, gateway: &str, plan: &str) -> Result<Seen, BoardError> {
        self.living(gateway)?;
        self.change += 1;
        let entry = self.plans.entry(plan.to_owned()).or_default();
        entry.gateways.insert(gateway.to_owned());
        let (leader, tenure) = entry.leader.get_or_insert_with(|| (gateway.to_owned(), self.change));
        let tenure = (leader == gateway).then_some(*tenure);
        let told = entry.told.iter().map(|(_, piece)| piece.clone()).take(PIECES);
        Ok(Seen {
            tenure,
            leader: leader.clone(),
            posted: entry.posted.clone(),
            told: if tenure.is_some() { told.collect() } else { Vec::new() },
        })
    }

    /// As [`Board::tell`](super::Board::tell).
    ///
    /// # Errors
    /// The gateway is not alive.
    pub fn tell(&mut self, gateway: &str, plan: &str, told: &Told) -> Result<(), BoardError> {
        self.living(gateway)?;
        self.change += 1;
        let piece = Piece { id: format!("{gateway}/{}", self.change), told: told.clone() };
        self.plans.entry(plan.to_owned()).or_default().told.push((gateway.to_owned(), piece));
        Ok(())
    }

    /// As [`Board::write`](super::Board::write).
    pub fn write(&mut self, gateway: &str, plan: &str, state: &State, over: &Over) -> bool {
        let entry = self.plans.entry(plan.to_owned()).or_default();
        let version = entry.posted.as_ref().map_or(0, |posted| posted.version);
        let tenure = entry.leader.as_ref().map(|(_, tenure)| *tenure);
        if version != over.version || (over.tenure.is_some() && over.tenure != tenure) {
            return false;
        }
        self.change += 1;
        entry.posted = Some(Posted { state: state.clone(), version: self.change, by: gateway.to_owned() });
        entry.told.retain(|(_, piece)| !over.counted.contains(&piece.id));
        true
    }

    /// As [`Board::leave`](super::Board::leave).
    pub fn leave(&mut self, gateway: &str, plan: &str) {
        if let Some(entry) = self.plans.get_mut(plan) {
            entry.gateways.remove(gateway);
            entry.leader = entry.leader.take().filter(|(leader, _)| leader != gateway);
        }
    }

    /// As [`Board::sweep`](super::Board::sweep).
    pub fn sweep(&mut self, known: &[String]) {
        self.plans.retain(|plan, entry| known.contains(plan) || !entry.gateways.is_empty());
    }

    /// What was written last of a plan.
    #[must_use]
    pub fn posted(&self, plan: &str) -> Option<&Posted> {
        self.plans.get(plan)?.posted.as_ref()
    }

    fn living(&self, gateway: &str) -> Result<(), BoardError> {
        let reason = || format!("{gateway} has not said that it is alive");
        if self.alive.contains_key(gateway) { Ok(()) } else { Err(BoardError { reason: reason() }) }
    }
}
