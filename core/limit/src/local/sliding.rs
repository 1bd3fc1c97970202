//! The sliding window over a word and the counters of its parts.
//!
//! The word of a key holds the part of time it was charged last, and the units taken in the window that ends there;
//! charging it by compare-and-swap is the decision. The counters say what leaves the window when time goes on. Each
//! carries its own epoch, so nothing has to be cleared.
//!
//! A unit is in its counter *before* it is in the word, and leaves the word before it leaves its counter: whoever
//! sums the counters never sums too little. What it sums too much (somebody who is about to be refused) is gone
//! with the next part.

use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::fixed::{EPOCH_BITS, is_after};
use crate::local::atomic::{AtomicU64, Ordering};
use crate::local::word::{STATE_BITS, Step, Word, low};
use crate::window::{RING, SUB_BUCKETS, Window};

const EPOCHS: u64 = 1 << EPOCH_BITS;
/// The word: changes (so that a word that comes back to its value is seen as changed), epoch, units.
const CHANGES: u32 = STATE_BITS - EPOCH_BITS - 32;

/// The counters of every slot.
#[derive(Debug)]
pub(crate) struct Counters(Box<[AtomicU64]>);

/// A window's rule with the counters of its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sliding<'a> {
    pub(crate) window: Window,
    pub(crate) counters: &'a Counters,
}

/// Bits of a counter's units; the rest is its epoch.
const COUNT_BITS: u32 = 28;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const TAGS: u64 = 1 << (64 - COUNT_BITS);

impl Counters {
    pub(crate) fn new(words: usize) -> Self {
        Self((0..words * RING).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * 8
    }

    fn at(&self, slot: usize, epoch: u64) -> &AtomicU64 {
        &self.0[slot * RING + usize::try_from(epoch % RING as u64).unwrap_or(0)]
    }

    /// Units that `slot` took in `epoch`.
    fn taken(&self, slot: usize, epoch: u64) -> u64 {
        let value = self.at(slot, epoch).load(Ordering::SeqCst);
        if value >> COUNT_BITS == epoch % TAGS { value & COUNT } else { 0 }
    }

    /// `false`: the change is not possible.
    fn change(&self, slot: usize, epoch: u64, change: impl Fn(u64) -> Option<u64>) -> bool {
        let tag = epoch % TAGS;
        let place = self.at(slot, epoch);
        let mut value = place.load(Ordering::SeqCst);
        loop {
            let there = value >> COUNT_BITS;
            if value != 0 && there != tag && there.wrapping_sub(tag) % TAGS < TAGS / 2 {
                // The counter is about a later part by now. What is counted here is out of every window.
                return true;
            }
            let Some(count) = change(if there == tag { value & COUNT } else { 0 }) else { return false };
            match place.compare_exchange(value, tag << COUNT_BITS | count, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(newer) => value = newer,
            }
        }
    }

    /// `false`: no room, for others are counted who are about to be refused.
    fn add(&self, slot: usize, epoch: u64, cost: u64) -> bool {
        self.change(slot, epoch, |count| (count + cost <= COUNT).then_some(count + cost))
    }

    fn take_back(&self, slot: usize, epoch: u64, cost: u64) {
        self.change(slot, epoch, |count| Some(count.saturating_sub(cost)));
    }
}

#[derive(Debug, Clone, Copy)]
struct Head {
    changes: u64,
    epoch: u64,
    total: u64,
}

impl Head {
    fn of(state: u128) -> Self {
        Self {
            changes: low(state >> (EPOCH_BITS + 32)),
            epoch: low(state >> 32) % EPOCHS,
            total: low(state & 0xffff_ffff),
        }
    }

    fn next(self, epoch: u64, total: u64) -> u128 {
        let changes = (self.changes + 1) % (1 << CHANGES);
        u128::from(changes) << (EPOCH_BITS + 32) | u128::from(epoch % EPOCHS) << 32 | u128::from(total)
    }
}

impl Sliding<'_> {
    /// The epoch to count in, and the units in the window that ends with it.
    fn view(&self, slot: usize, state: u128, now: u64) -> (u64, u64) {
        let current = self.window.epoch(now);
        let head = Head::of(state);
        if state == 0 || is_after(current % EPOCHS, head.epoch) {
            let since = current.saturating_sub(SUB_BUCKETS);
            let known = state != 0;
            let total = (since..=current).filter(|_| known).map(|epoch| self.counters.taken(slot, epoch)).sum();
            return (current, total);
        }
        // A clock that went back is taken to stand still.
        let ahead = head.epoch.wrapping_sub(current) % EPOCHS;
        (current + ahead, head.total)
    }
}

impl Word for Sliding<'_> {
    const INHERITS: bool = false;

    fn is_dead(&self, state: u128, now: u64) -> bool {
        let head = Head::of(state);
        is_after(self.window.epoch(now) % EPOCHS, (head.epoch + SUB_BUCKETS) % EPOCHS)
    }

    fn decide(&self, slot: usize, state: u128, now: u64, ask: Ask) -> Step {
        let window = &self.window;
        let (epoch, total) = self.view(slot, state, now);
        let mut granted = ask.granted(window.limit.saturating_sub(total));
        let mut spent = if ask.mode == Mode::Check { 0 } else { granted };
        if spent > 0 && !self.counters.add(slot, epoch, spent) {
            (granted, spent) = (0, 0);
        }
        let oldest = epoch.saturating_sub(SUB_BUCKETS);
        let retry = if granted == ask.cost {
            Retry::Now
        } else {
            let taken = (oldest..=epoch).map(|epoch| (epoch, self.counters.taken(slot, epoch)));
            window.retry(taken.filter(|(_, count)| *count > 0), total, now, ask.cost)
        };
        let next = (spent > 0).then(|| Head::of(state).next(epoch, total + spent));
        let last = if spent > 0 { epoch } else { epoch_of(state, epoch) };
        let reset = match total + spent {
            0 => Duration::ZERO,
            _ => window.scale.duration(window.until_out(last, now)),
        };
        let receipt = Receipt { cost: spent, at: epoch, worth: spent, era: 0, shared: false };
        let remaining = window.limit.saturating_sub(total + spent);
        let decision = Decision { asked: ask.cost, granted, remaining, retry, reset, wait: Duration::ZERO, receipt };
        Step { decision, next }
    }

    fn abandon(&self, slot: usize, decision: &Decision) {
        self.counters.take_back(slot, decision.receipt.at, decision.receipt.cost);
    }

    fn refund(&self, state: u128, now: u64, receipt: Receipt) -> Option<u128> {
        let head = Head::of(state);
        let gone = is_after(head.epoch, (receipt.at + SUB_BUCKETS) % EPOCHS) || self.is_dead(state, now);
        (receipt.cost > 0 && state != 0 && !gone)
            .then(|| head.next(head.epoch, head.total.saturating_sub(receipt.cost)))
    }

    fn refunded(&self, slot: usize, receipt: Receipt) {
        self.counters.take_back(slot, receipt.at, receipt.cost);
    }
}

/// The epoch of a state's last charge, near `epoch`.
fn epoch_of(state: u128, epoch: u64) -> u64 {
    epoch - (epoch.wrapping_sub(Head::of(state).epoch) % EPOCHS).min(epoch)
}
