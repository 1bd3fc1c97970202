//! Limits whose state is in this process.

mod all;
mod atomic;
mod logs;
mod single;
mod sliding;
mod table;
mod word;

use std::time::Duration;

use crate::algorithm::{Kind, Policy};
use crate::ask::{Ask, Decision, Receipt};
use crate::key::Key;
use crate::quota::Scale;
use crate::window::RING;

pub use all::{All, Part, decide_all};
pub use single::Single;

use logs::Logs;
use sliding::{Counters, Sliding};
use table::Table;

/// The most keys of a limit: 2²⁶. More would be 2 GiB of slots.
pub const MOST_KEYS: usize = 1 << 26;

/// The state of all keys of one limit, shared by all threads.
///
/// # Bounds
/// Memory is allocated once, at [`Store::new`], save for sliding logs, which grow to as many entries as the limit
/// of each key. When the table is full of keys whose state says something, further keys share a bucket (one for
/// sixteen slots): they can get less than their limit, never more.
///
/// # Concurrency
/// No locks but for sliding logs. Decisions of one key are linearizable. Every thread must read one monotonic clock;
/// a thread that decides with an old `now` never gets more for it.
#[derive(Debug)]
pub struct Store {
    kind: Kind,
    state: State,
}

#[derive(Debug)]
enum State {
    Words(Table),
    Windows(Table, Counters),
    Logs(Logs),
}

impl Store {
    /// State for `keys` keys at one time, at most [`MOST_KEYS`].
    #[must_use]
    pub fn new(kind: Kind, keys: usize) -> Self {
        // Half full, hardly any key finds its sixteen slots taken.
        let slots = keys.clamp(1, MOST_KEYS) * 2;
        let state = match kind {
            Kind::Bucket | Kind::Fixed(_) | Kind::Concurrency => State::Words(Table::new(slots)),
            Kind::Window(_) => {
                let table = Table::new(slots);
                let counters = Counters::new(table.words());
                State::Windows(table, counters)
            }
            Kind::Log => State::Logs(Logs::new(slots)),
        };
        Self { kind, state }
    }

    /// The kind of the state: a policy of another kind needs another store.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Answers `ask` for `key` under `policy`, which must be of this store's kind and in [`Scale::Local`]. `now` is
    /// the time since a start that is the same for all threads.
    ///
    /// The policy comes with each call: keys can have quotas of their own, and a changed quota is in force at once.
    ///
    /// # Panics
    /// The policy is of another kind.
    #[inline]
    #[must_use]
    pub fn decide(&self, key: Key, now: Duration, policy: &Policy, ask: Ask) -> Decision {
        let now = Scale::Local.elapsed(now);
        match (&self.state, policy) {
            (State::Words(table), Policy::Bucket(bucket)) => table.decide(key, now, bucket, ask),
            (State::Words(table), Policy::Fixed(fixed)) => table.decide(key, now, fixed, ask),
            (State::Words(table), Policy::Concurrency(concurrency)) => table.decide(key, now, concurrency, ask),
            (State::Windows(table, counters), &Policy::Window(window)) => {
                table.decide(key, now, &Sliding { window, counters }, ask)
            }
            (State::Logs(logs), Policy::Log(log)) => logs.decide(key, now, log, ask),
            _ => panic!("a policy of another kind than its store: {policy:?}, {:?}", self.kind),
        }
    }

    /// Whether `cost` is admitted for `key`, and spent then: [`Store::decide`] for callers who tell nobody what
    /// remains, in fewer instructions. [`Kind::Bucket`] only; others go the long way.
    ///
    /// # Panics
    /// The policy is of another kind.
    #[inline]
    #[must_use]
    pub fn admits(&self, key: Key, now: Duration, policy: &Policy, cost: u64) -> bool {
        match (&self.state, policy) {
            (State::Words(table), Policy::Bucket(bucket)) => table.admits(key, Scale::Local.elapsed(now), bucket, cost),
            _ => self.decide(key, now, policy, Ask::spend(cost)).is_admitted(),
        }
    }

    /// Gives back what was spent for `key`. The receipt must come from this store, and be used once.
    ///
    /// # Panics
    /// The policy is of another kind.
    pub fn refund(&self, key: Key, now: Duration, policy: &Policy, receipt: Receipt) {
        let now = Scale::Local.elapsed(now);
        if receipt.cost == 0 {
            return;
        }
        match (&self.state, policy) {
            (State::Words(table), Policy::Bucket(bucket)) => table.refund(key, now, bucket, receipt),
            (State::Words(table), Policy::Fixed(fixed)) => table.refund(key, now, fixed, receipt),
            (State::Words(table), Policy::Concurrency(concurrency)) => table.refund(key, now, concurrency, receipt),
            (State::Windows(table, counters), &Policy::Window(window)) => {
                table.refund(key, now, &Sliding { window, counters }, receipt);
            }
            (State::Logs(logs), Policy::Log(log)) => logs.refund(key, log, receipt),
            _ => panic!("a policy of another kind than its store: {policy:?}, {:?}", self.kind),
        }
    }

    /// Makes the budget of `key` whole, for an operator: what it did is forgotten.
    ///
    /// # Panics
    /// The policy is of another kind.
    pub fn reset(&self, key: Key, now: Duration, policy: &Policy) {
        let now = Scale::Local.elapsed(now);
        match (&self.state, policy) {
            (State::Words(table), Policy::Bucket(bucket)) => table.reset(key, now, bucket),
            (State::Words(table), Policy::Fixed(fixed)) => table.reset(key, now, fixed),
            (State::Words(table), Policy::Concurrency(concurrency)) => table.reset(key, now, concurrency),
            (State::Windows(table, counters), &Policy::Window(window)) => {
                table.reset(key, now, &Sliding { window, counters });
            }
            (State::Logs(logs), Policy::Log(_)) => logs.reset(key),
            _ => panic!("a policy of another kind than its store: {policy:?}, {:?}", self.kind),
        }
    }

    /// Keys whose state says something at `now`. Reads the whole table: for a scrape, not for a request.
    ///
    /// # Panics
    /// The policy is of another kind.
    #[must_use]
    pub fn live(&self, now: Duration, policy: &Policy) -> usize {
        let now = Scale::Local.elapsed(now);
        match (&self.state, policy) {
            (State::Words(table), Policy::Bucket(bucket)) => table.live(now, bucket),
            (State::Words(table), Policy::Fixed(fixed)) => table.live(now, fixed),
            (State::Words(table), Policy::Concurrency(concurrency)) => table.live(now, concurrency),
            (State::Windows(table, counters), &Policy::Window(window)) => {
                table.live(now, &Sliding { window, counters })
            }
            (State::Logs(logs), Policy::Log(log)) => logs.live(now, log),
            _ => panic!("a policy of another kind than its store: {policy:?}, {:?}", self.kind),
        }
    }

    /// Places for keys.
    #[must_use]
    pub fn slots(&self) -> usize {
        match &self.state {
            State::Words(table) | State::Windows(table, _) => table.slots(),
            State::Logs(logs) => logs.slots(),
        }
    }

    /// Bytes allocated; of sliding logs none, for they grow with use.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.state {
            State::Words(table) => table.bytes(),
            State::Windows(table, counters) => table.bytes() + counters.bytes(),
            State::Logs(_) => 0,
        }
    }

    /// Decisions made in a shared bucket, since the start: the table was too small.
    #[must_use]
    pub fn crowded(&self) -> u64 {
        match &self.state {
            State::Words(table) | State::Windows(table, _) => table.crowded(),
            State::Logs(logs) => logs.crowded(),
        }
    }

    /// Bytes of state that a key of this kind takes.
    #[must_use]
    pub const fn bytes_per_slot(&self) -> usize {
        match &self.state {
            State::Words(_) => 18,
            State::Windows(..) => 18 + 8 * RING,
            State::Logs(_) => 0,
        }
    }
}

#[cfg(all(test, tidegate_loom))]
mod loom;
#[cfg(all(test, not(tidegate_loom)))]
mod tests;
