//! Rate limits: the rules of a config, and the counters of this process, which outlive it.
//!
//! [`Limits`] are those of one snapshot. A request is asked about a list of them at once, all of them or none
//! being charged: those of its listener first, when nothing but its head is known, then those of its route.
//! A [`Counter`] is shared by all workers, and by all snapshots that have the limit with the same key and the same
//! kind of state; rates and bursts come from the rule of each snapshot.

mod ask;
mod compile;
mod counter;
mod facts;
mod shared;
mod spent;
mod store;
mod told;
mod top;

use crate::config::Tells;
use crate::sinks::Stores;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_limit::Decision;
use tidegate_limit::ports::{Looking, SharedLimits, StoreError};
use tidegate_limit::rules::{Budget, Rule};
use tidegate_telemetry::clock;

pub(crate) use ask::Asking;
pub(crate) use compile::{Calls, Of, RouteLimits};
pub use counter::{Counter, Usage};
pub(crate) use facts::{Facts, Message};
pub(crate) use spent::write as write_spent;
pub use store::Store;
pub(crate) use told::Told;
pub use top::Refused;

/// The limits of a snapshot.
#[derive(Debug)]
pub struct Limits {
    all: Vec<Limited>,
    /// By their places in the config; empty if no listener has any.
    of_listeners: Vec<Vec<usize>>,
    /// What gateways share, those that no limit names included.
    stores: Vec<Arc<Store>>,
    /// From when time is counted: the same for all counters.
    origin: Instant,
}

/// A limit, ready to be asked.
#[derive(Debug)]
pub struct Limited {
    rule: Rule,
    headers: Tells,
    legacy_headers: bool,
    gives_back: bool,
    /// Services behind are told what it spent.
    signed: Option<spent::Signed>,
    counter: Arc<Counter>,
    /// The store that it shares with other gateways, if it does and that is open.
    store: Option<Arc<Store>>,
    /// What a service knows the parts of its key by, if its store is one.
    names: Vec<String>,
}

// === impl Limits ===

impl Limits {
    /// Those of the listener at this place in the config, by their places.
    pub(crate) fn of_listener(&self, listener: usize) -> &[usize] {
        self.of_listeners.get(listener).map_or(&[], Vec::as_slice)
    }

    /// Whether a listener has any.
    pub(crate) fn has_edge(&self) -> bool {
        !self.of_listeners.is_empty()
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Limited> {
        self.all.iter()
    }

    /// The limit of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Limited> {
        self.all.iter().find(|limited| limited.rule.name() == name)
    }

    /// Goes on with the counters of the snapshot before, as far as they count the same.
    pub(crate) fn inherit(&mut self, before: Option<&Self>) {
        if let Some(before) = before {
            self.origin = before.origin;
        }
        for limited in &mut self.all {
            let fresh = Counter::new(&limited.rule, self.origin);
            let known = before.into_iter().flat_map(|before| &before.all).map(|known| &known.counter);
            let known = known.into_iter().find(|known| known.is_like(&fresh));
            limited.counter = known.map_or_else(|| Arc::new(fresh), Arc::clone);
        }
    }

    /// Takes the stores that are open; those of the snapshot before stay what they are.
    pub(crate) fn connect(&mut self, open: &Stores, before: Option<&Self>) {
        let before = before.map_or(&[] as &[_], |before| &before.stores);
        let mut names: Vec<_> = open.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        let store = |(name, limits): (&String, _)| {
            let known = before.iter().find(|store| store.is(name, limits));
            known.map_or_else(|| Arc::new(Store::new(name, limits)), Arc::clone)
        };
        self.stores = names.into_iter().map(store).collect();
        for limited in &mut self.all {
            let named = self.stores.iter().find(|store| limited.rule.store() == Some(store.name()));
            limited.store = named.map(Arc::clone);
        }
    }

    /// The stores that are open, by their names.
    pub fn stores(&self) -> &[Arc<Store>] {
        &self.stores
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }
}

// === impl Limited ===

impl Limited {
    /// Whose requests it counts, how many, at what cost.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether a rate limit service keeps it, by rules of its own.
    #[must_use]
    pub fn is_of_service(&self) -> bool {
        !self.names.is_empty()
    }

    /// What it counted.
    #[must_use]
    pub fn counter(&self) -> &Arc<Counter> {
        &self.counter
    }

    /// The store that it shares with other gateways, if it does and that is open.
    #[must_use]
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// What is used of the budget of those who have these values, one for each part of the key. `None`: there are
    /// not as many as parts, or they have no limit.
    ///
    /// # Errors
    /// Its store does not answer.
    pub async fn usage(&self, values: &[Option<&[u8]>]) -> Option<Result<Usage, StoreError>> {
        let budget = self.rule.budget_of(values)?;
        Some(match self.rule.store() {
            None => Ok(self.counter.usage(&budget)),
            Some(_) => self.of_store(&budget, |store| store.look(budget.key, budget.shared)).await,
        })
    }

    /// Makes that budget whole, and tells what is used of it then. `None`: there is no such budget.
    ///
    /// # Errors
    /// Its store does not answer.
    pub async fn reset(&self, values: &[Option<&[u8]>]) -> Option<Result<Usage, StoreError>> {
        let budget = self.rule.budget_of(values)?;
        Some(match self.rule.store() {
            None => {
                self.counter.reset(&budget);
                Ok(self.counter.usage(&budget))
            }
            Some(_) => self.of_store(&budget, |store| store.reset(budget.key, budget.shared)).await,
        })
    }

    async fn of_store(
        &self,
        budget: &Budget<'_>,
        ask: impl FnOnce(&dyn SharedLimits) -> Looking,
    ) -> Result<Usage, StoreError> {
        let store = self.store.as_ref().ok_or(StoreError::Unreachable)?;
        // What is used of the limits of a service only that knows.
        let counters = store.limits().counters().ok_or(StoreError::Declined)?;
        let Decision { remaining, reset, .. } = ask(&**counters).await?;
        Ok(Usage { algorithm: *budget.algorithm, remaining, reset })
    }
}
