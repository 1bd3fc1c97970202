//! What the table asks of an algorithm whose state of a key is one word.

use std::time::Duration;

use crate::ask::{Ask, Decision, Receipt};
use crate::concurrency::Concurrency;
use crate::fixed::{Counted, Fixed};
use crate::gcra::Gcra;

/// Bits of a state. The rest of a slot's 128 bits says whose it is.
pub(crate) const STATE_BITS: u32 = 79;

/// An answer, and what storing it would change.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) decision: Decision,
    /// The state to store; `None`: the answer changes nothing.
    pub(crate) next: Option<u128>,
}

/// An algorithm over one word per key. State 0 is a key that was never seen.
pub(crate) trait Word {
    /// Whether a new key may begin with the state of the bucket that keys share while the table is full. If
    /// not, it stays in that bucket for as long as the bucket has a state.
    const INHERITS: bool;

    /// Whether the state says nothing at `now`, so that its slot is free.
    fn is_dead(&self, state: u128, now: u64) -> bool;

    /// Answers, and makes whatever must be visible before the state is stored.
    fn decide(&self, slot: usize, state: u128, now: u64, ask: Ask) -> Step;

    /// Takes back what [`Word::decide`] made visible: the state was not stored.
    fn abandon(&self, _slot: usize, _decision: &Decision) {}

    /// The state after a refund, if it changes.
    fn refund(&self, state: u128, now: u64, receipt: Receipt) -> Option<u128>;

    /// Finishes a refund whose state was stored.
    fn refunded(&self, _slot: usize, _receipt: Receipt) {}
}

/// The low 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "that is the point")]
#[inline]
pub(crate) const fn low(state: u128) -> u64 {
    state as u64
}

impl Word for Gcra {
    const INHERITS: bool = true;

    #[inline]
    fn is_dead(&self, state: u128, now: u64) -> bool {
        low(state) <= now
    }

    #[inline]
    fn decide(&self, _slot: usize, state: u128, now: u64, ask: Ask) -> Step {
        let (decision, next) = Self::decide(self, low(state), now, ask);
        Step { decision, next: next.map(u128::from) }
    }

    #[inline]
    fn refund(&self, state: u128, now: u64, receipt: Receipt) -> Option<u128> {
        Self::refund(self, low(state), now, receipt).map(u128::from)
    }
}

#[inline]
const fn counted(state: u128) -> Counted {
    Counted { epoch: low(state >> 32), count: low(state & 0xffff_ffff) }
}

#[inline]
fn packed(counted: Counted) -> u128 {
    u128::from(counted.epoch) << 32 | u128::from(counted.count)
}

impl Word for Fixed {
    const INHERITS: bool = true;

    #[inline]
    fn is_dead(&self, state: u128, now: u64) -> bool {
        Self::is_dead(self, counted(state), now)
    }

    #[inline]
    fn decide(&self, _slot: usize, state: u128, now: u64, ask: Ask) -> Step {
        let (decision, next) = Self::decide(self, counted(state), now, ask);
        Step { decision, next: next.map(packed) }
    }

    #[inline]
    fn refund(&self, state: u128, now: u64, receipt: Receipt) -> Option<u128> {
        Self::refund(self, counted(state), now, receipt).map(packed)
    }
}

impl Word for Concurrency {
    // What is in flight in the shared bucket is given back there.
    const INHERITS: bool = false;

    #[inline]
    fn is_dead(&self, state: u128, _now: u64) -> bool {
        state == 0
    }

    #[inline]
    fn decide(&self, _slot: usize, state: u128, _now: u64, ask: Ask) -> Step {
        let (decision, next) = Self::decide(self, low(state), ask);
        debug_assert_eq!(decision.wait, Duration::ZERO, "concurrency does not shape");
        Step { decision, next: next.map(u128::from) }
    }

    #[inline]
    fn refund(&self, state: u128, _now: u64, receipt: Receipt) -> Option<u128> {
        (receipt.cost > 0).then(|| u128::from(low(state).saturating_sub(receipt.cost)))
    }
}
