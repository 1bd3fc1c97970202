//! What a shared store does with a batch, as a pure function of its state: the model that scripts follow.
//!
//! Keys expire when they say nothing. A store that lost data must not begin with full buckets: each start of a server
//! is an *era*, and what is not known from the era is taken to be used up when the era began.

use std::collections::HashMap;

use crate::algorithm::Policy;
use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::fixed::Counted;
use crate::key::Key;
use crate::log::Entries;
use crate::ports::{Answer, Item, LENT};
use crate::quota::Scale;
use crate::window::Counts;

/// The state of a key in a shared store.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Bucket(u64),
    /// The width of a part, and the counts.
    Window(u64, Counts),
    Log(Entries),
    /// The width of the window, and the count.
    Fixed(u64, Counted),
    Concurrency(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    era: u64,
    /// When the state says nothing any more.
    until: u64,
    state: State,
}

/// A store in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    keys: HashMap<Key, Held>,
    /// The server's run that the era is about.
    run: u64,
    era: u64,
    since: u64,
}

impl Shared {
    /// An empty store whose first era began long ago: for one process, which cannot lose data and keep its callers.
    #[must_use]
    pub fn new(run: u64) -> Self {
        Self { keys: HashMap::new(), run, era: 0, since: 0 }
    }

    /// Keys that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Drops the keys that say nothing at `now`.
    pub fn expire(&mut self, now: u64) {
        self.keys.retain(|_, held| held.until > now);
    }

    /// Decides items at `now`, in ticks of [`Scale::Shared`], by the server's own clock. `run` is the server's run: a
    /// new one begins an era.
    pub fn decide(&mut self, run: u64, now: u64, items: &[Item]) -> Vec<Answer> {
        if run != self.run {
            // Never the number of one before, whatever the clock did.
            (self.run, self.era, self.since) = (run, now.max(self.era + 1), now);
        }
        items.iter().map(|item| self.item(now, item)).collect()
    }

    fn item(&mut self, now: u64, item: &Item) -> Answer {
        let known = self.keys.get(&item.key).filter(|held| held.era == self.era);
        let mut state = match known {
            Some(held) => held.state.clone(),
            None if self.era == 0 => blank(&item.policy),
            None => used_up(&item.policy, self.since),
        };
        // What says no writes nothing, except that an algorithm was changed.
        let mut is_new = !fits(&item.policy, &state);
        if let Some(receipt) = item.refund.filter(|receipt| receipt.era == self.era || *receipt == Receipt::ALL) {
            let before = state.clone();
            refund(&item.policy, &mut state, now, receipt);
            is_new |= state != before;
        }
        let mut decision = decide(&item.policy, &mut state, now, item.ask);
        let lent = item.extra.min(decision.remaining / LENT);
        let extra = decide(&item.policy, &mut state, now, Ask::partial(lent)).granted;
        let after = decide(&item.policy, &mut state, now, Ask::check(item.retry_for));
        decision.retry = if decision.granted == decision.asked { Retry::Now } else { after.retry };
        decision.remaining = after.remaining;
        decision.receipt.era = self.era;
        decision.reset = after.reset;
        if is_new || extra > 0 || decision.receipt.worth > 0 {
            let until = now.saturating_add(u64::try_from(Scale::Shared.span(after.reset)).unwrap_or(u64::MAX));
            let until = if matches!(state, State::Concurrency(_)) { u64::MAX } else { until };
            self.keys.insert(item.key, Held { era: self.era, until, state });
        }
        Answer { decision, extra }
    }
}

/// Whether the state is one of the policy's algorithm, and of its length of window.
fn fits(policy: &Policy, state: &State) -> bool {
    match (policy, state) {
        (Policy::Bucket(_), State::Bucket(_))
        | (Policy::Log(_), State::Log(_))
        | (Policy::Concurrency(_), State::Concurrency(_)) => true,
        (Policy::Window(window), State::Window(width, _)) => window.width() == *width,
        (Policy::Fixed(fixed), State::Fixed(width, _)) => fixed.width() == *width,
        _ => false,
    }
}

fn blank(policy: &Policy) -> State {
    match policy {
        Policy::Bucket(_) => State::Bucket(0),
        Policy::Window(window) => State::Window(window.width(), Counts::default()),
        Policy::Log(_) => State::Log(Entries::default()),
        Policy::Fixed(fixed) => State::Fixed(fixed.width(), Counted::default()),
        Policy::Concurrency(_) => State::Concurrency(0),
    }
}

/// The state as if all had been taken at `since`.
fn used_up(policy: &Policy, since: u64) -> State {
    let mut state = blank(policy);
    let all = decide(policy, &mut state, since, Ask::partial(u64::MAX));
    debug_assert_eq!(all.remaining, 0, "all was taken");
    // A bucket of a lower class or a lease leaves some to others: not after a loss.
    if let (State::Bucket(tat), Policy::Bucket(bucket)) = (&mut state, policy) {
        *tat = since.saturating_add(bucket.ceiling());
    }
    state
}

fn decide(policy: &Policy, state: &mut State, now: u64, ask: Ask) -> Decision {
    match (policy, state) {
        (Policy::Bucket(bucket), State::Bucket(tat)) => {
            let (decision, next) = bucket.decide(*tat, now, ask);
            *tat = next.unwrap_or(*tat);
            decision
        }
        (Policy::Window(window), State::Window(width, counts)) if *width == window.width() => {
            window.decide(counts, now, ask)
        }
        (Policy::Log(log), State::Log(entries)) => log.decide(entries, now, ask),
        (Policy::Fixed(fixed), State::Fixed(width, counted)) if *width == fixed.width() => {
            let (decision, next) = fixed.decide(*counted, now, ask);
            *counted = next.unwrap_or(*counted);
            decision
        }
        (Policy::Concurrency(concurrency), State::Concurrency(taken)) => {
            let (decision, next) = concurrency.decide(*taken, ask);
            *taken = next.unwrap_or(*taken);
            decision
        }
        // A limit whose algorithm or length of window was changed begins anew, used up.
        (policy, state) => {
            *state = used_up(policy, now);
            decide(policy, state, now, Ask { mode: Mode::Check, ..ask })
        }
    }
}

fn refund(policy: &Policy, state: &mut State, now: u64, receipt: Receipt) {
    if receipt == Receipt::ALL && fits(policy, state) && !matches!(state, State::Bucket(_)) {
        *state = blank(policy);
        return;
    }
    match (policy, state) {
        (Policy::Bucket(bucket), State::Bucket(tat)) => *tat = bucket.refund(*tat, now, receipt).unwrap_or(*tat),
        (Policy::Window(window), State::Window(width, counts)) if *width == window.width() => {
            window.refund(counts, receipt);
        }
        (Policy::Log(log), State::Log(entries)) => log.refund(entries, receipt),
        (Policy::Fixed(fixed), State::Fixed(width, counted)) if *width == fixed.width() => {
            *counted = fixed.refund(*counted, now, receipt).unwrap_or(*counted);
        }
        (Policy::Concurrency(_), State::Concurrency(taken)) => *taken = taken.saturating_sub(receipt.cost),
        _ => {}
    }
}
