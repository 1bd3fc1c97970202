//! Where the pipeline finds what it calls.

use crate::config::Config;
use crate::gateway::Instruments;
use crate::snapshot::Snapshot;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use tidegate_upstream::{Call, Fleet, Upstream};

/// The upstreams of one worker, or of an embedding program.
pub trait Upstreams {
    /// How one of them is called.
    type Call: Call;

    /// The upstream at this index of the snapshot's config.
    fn get(&self, snapshot: &Snapshot, index: usize) -> impl Deref<Target = Self::Call>;
}

/// Connection pools of one worker, one per upstream, of every config that a request still has.
///
/// An upstream that is the same in two configs has one pool. One that no config has any more closes its
/// connections when their last request ends.
#[derive(Debug)]
pub struct Pools {
    telemetry: Instruments,
    /// The newest last; seldom more than one.
    sets: RefCell<Vec<Set>>,
}

/// The pools of one config, in its order.
#[derive(Debug)]
struct Set {
    /// Dead when no request has the config any more. An address is not used again before it is dropped.
    config: Weak<Config>,
    pools: Box<[Rc<Upstream>]>,
}

// === impl Pools ===

impl Pools {
    /// Makes a pool for every upstream; connections open with the first calls.
    #[must_use]
    pub fn new(snapshot: &Snapshot, telemetry: &Instruments) -> Self {
        let pools = Self { telemetry: telemetry.clone(), sets: RefCell::default() };
        pools.take_on(snapshot);
        pools
    }

    /// Makes pools for what is new in a config, and keeps those that it has in common with others.
    pub(crate) fn take_on(&self, snapshot: &Snapshot) {
        let mut sets = self.sets.borrow_mut();
        if sets.iter().any(|set| set.is_of(snapshot)) {
            return;
        }
        let known = |fleet: &Arc<Fleet>| {
            let mut pools = sets.iter().rev().flat_map(|set| set.pools.iter());
            pools.find(|pool| Arc::ptr_eq(pool.fleet(), fleet)).map(Rc::clone)
        };
        let pool = |fleet: &Arc<Fleet>| {
            known(fleet).unwrap_or_else(|| {
                let pool = Rc::new(Upstream::of(fleet));
                self.telemetry.metrics.register_upstream(pool.stats());
                pool
            })
        };
        let pools = snapshot.fleets().iter().map(pool).collect();
        sets.push(Set { config: Arc::downgrade(&snapshot.config), pools });
    }

    /// Lets go of the pools of configs that no request has any more. Says whether there may be such later.
    pub(crate) fn sweep(&self) -> bool {
        let mut sets = self.sets.borrow_mut();
        sets.retain(|set| set.config.strong_count() > 0);
        sets.len() > 1
    }
}

impl Set {
    fn is_of(&self, snapshot: &Snapshot) -> bool {
        std::ptr::eq(self.config.as_ptr(), Arc::as_ptr(&snapshot.config))
    }
}

impl Upstreams for Pools {
    type Call = Upstream;

    fn get(&self, snapshot: &Snapshot, index: usize) -> impl Deref<Target = Upstream> {
        loop {
            if let Some(set) = self.sets.borrow().iter().rev().find(|set| set.is_of(snapshot)) {
                return Rc::clone(&set.pools[index]);
            }
            // A config that this worker has not heard of yet.
            self.take_on(snapshot);
        }
    }
}

/// One callee for every upstream, as a service in the same process.
#[derive(Clone, Debug)]
pub struct Single<C>(pub C);

impl<C: Call> Upstreams for Single<C> {
    type Call = C;

    fn get(&self, _snapshot: &Snapshot, _index: usize) -> impl Deref<Target = C> {
        &self.0
    }
}

#[cfg(test)]
mod tests;
