//! What a node knows of one key.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::front::{By, CLOCK, Failure, LEASE, Outcome, Stats, Terms, Ticket, grant, interval, refusal};
use crate::key::Key;
use crate::ports::{Answer, Item};

/// Leases of one key at a time; further ones join the last and die with it.
const CHUNKS: usize = 4;

/// Receipts of one key that wait to go back; each question takes one along.
const REFUNDS: usize = 16;

/// What a lease gave.
fn of_lease(cost: u64, until: Duration) -> Receipt {
    Receipt { cost, at: u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), worth: cost, era: 0, shared: false }
}

/// The receipt for so many of its units.
fn part_of(receipt: Receipt, cost: u64) -> Receipt {
    match receipt.worth.checked_div(receipt.cost) {
        Some(each) => Receipt { cost, worth: each.saturating_mul(cost), ..receipt },
        None => Receipt::default(),
    }
}

/// A request that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiter {
    pub(crate) ticket: Ticket,
    pub(crate) ask: Ask,
}

/// Units taken in advance.
#[derive(Debug)]
struct Chunk {
    until: Duration,
    left: u64,
}

/// A refusal, and until when it stands.
#[derive(Debug)]
struct Refused {
    cost: u64,
    until: Duration,
    /// When asking again can help: later than `until`, if the refusal is repeated for less.
    retry: Duration,
    /// When the limit is whole again.
    reset: Duration,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) terms: Terms,
    waiters: VecDeque<Waiter>,
    pub(crate) queued: bool,
    /// Questions about the key under way; with combining at most one.
    pub(crate) under_way: u32,
    chunks: VecDeque<Chunk>,
    /// Units to lend next time.
    want: u64,
    /// Whether leases were used up since the last question.
    drained: bool,
    refused: Option<Refused>,
    /// Units to ask for though nobody waits, to see whether the store is back; they go back, or become a lease.
    pub(crate) probe: u64,
    /// What goes back to the store, one with each question.
    refunds: VecDeque<Receipt>,
    /// The node's own bucket, for when the store does not answer.
    tat: u64,
}

impl Entry {
    pub(crate) fn new(terms: Terms, born: Duration) -> Self {
        let tat = match &terms.failure {
            Failure::Local(bucket) => bucket.scale().elapsed(born) + bucket.tolerance(),
            Failure::Open | Failure::Closed => 0,
        };
        Self {
            terms,
            waiters: VecDeque::new(),
            queued: false,
            under_way: 0,
            chunks: VecDeque::new(),
            want: 0,
            drained: false,
            refused: None,
            probe: 0,
            refunds: VecDeque::new(),
            tat,
        }
    }

    pub(crate) fn wait(&mut self, waiter: Waiter) {
        self.waiters.push_back(waiter);
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    pub(crate) fn take_waiters(&mut self) -> VecDeque<Waiter> {
        std::mem::take(&mut self.waiters)
    }

    pub(crate) fn has_something_to_say(&self) -> bool {
        !self.waiters.is_empty() || !self.refunds.is_empty() || self.probe > 0
    }

    pub(crate) fn is_idle(&self, now: Duration) -> bool {
        let own = match &self.terms.failure {
            Failure::Local(bucket) => self.tat > bucket.scale().elapsed(now),
            Failure::Open | Failure::Closed => false,
        };
        !(self.queued
            || self.under_way > 0
            || own
            || self.has_something_to_say()
            || self.chunks.iter().any(|chunk| chunk.until > now)
            || self.refused.as_ref().is_some_and(|refused| refused.until > now))
    }

    /// Dead leases go; what was not used of them says that less is needed.
    fn bury(&mut self, now: Duration, stats: &mut Stats) {
        while let Some(chunk) = self.chunks.front()
            && (chunk.until <= now || chunk.left == 0)
        {
            stats.died += chunk.left;
            self.want = self.want.saturating_sub(chunk.left);
            self.chunks.pop_front();
        }
    }

    pub(crate) fn use_lease(&mut self, now: Duration, ask: Ask, stats: &mut Stats) -> Option<Decision> {
        if self.chunks.is_empty() {
            return None;
        }
        self.bury(now, stats);
        let total: u64 = self.chunks.iter().map(|chunk| chunk.left).sum();
        if total < ask.cost {
            self.drained = true;
            return None;
        }
        if ask.mode == Mode::Check {
            return Some(grant(ask.cost, total, Duration::ZERO));
        }
        let mut need = ask.cost;
        let mut until = None;
        for chunk in &mut self.chunks {
            let used = need.min(chunk.left);
            chunk.left -= used;
            need -= used;
            // What comes back lives as long as the first of it would have.
            if used > 0 {
                until.get_or_insert(chunk.until);
            }
        }
        if total == ask.cost {
            self.drained = true;
        }
        stats.spent += ask.cost;
        let decision = grant(ask.cost, total - ask.cost, Duration::ZERO);
        Some(Decision { receipt: until.map_or(decision.receipt, |until| of_lease(ask.cost, until)), ..decision })
    }

    /// Units of a lease come back to it, and die when they would have died.
    pub(crate) fn back_to_lease(&mut self, now: Duration, receipt: Receipt, stats: &mut Stats) {
        let until = Duration::from_nanos(receipt.at);
        if until <= now {
            return;
        }
        stats.spent = stats.spent.saturating_sub(receipt.cost);
        // Leases stand in the order of their ends.
        match self.chunks.iter().rposition(|chunk| chunk.until <= until) {
            Some(place) => self.chunks[place].left += receipt.cost,
            None => self.chunks.push_front(Chunk { until, left: receipt.cost }),
        }
    }

    /// What was taken of the store goes back with the next question. More of it than there is room for is lost.
    pub(crate) fn back_to_store(&mut self, receipt: Receipt) {
        // Budgets are more than the refusal knew.
        self.refused = None;
        if let Some(same) = self.refunds.iter_mut().find(|known| (known.at, known.era) == (receipt.at, receipt.era)) {
            same.cost = same.cost.saturating_add(receipt.cost);
            same.worth = same.worth.saturating_add(receipt.worth);
        } else if self.refunds.len() < REFUNDS {
            self.refunds.push_back(receipt);
        }
    }

    /// Nobody is there to take it.
    pub(crate) fn forget_refunds(&mut self) {
        self.refunds.clear();
    }

    pub(crate) fn refused(&self, now: Duration, ask: Ask) -> Option<Decision> {
        let refused = self.refused.as_ref()?;
        let stands = now < refused.until && ask.cost >= refused.cost;
        let reset = refused.reset.saturating_sub(now);
        stands.then(|| refusal(ask.cost, Retry::After(refused.retry.saturating_sub(now)), reset))
    }

    pub(crate) fn fall_back(&mut self, now: Duration, ask: Ask) -> Outcome {
        let (outcome, tat) = self.terms.failure.decide(self.tat, now, ask);
        self.tat = tat;
        outcome
    }

    /// Turns those who wait into items: one for all of them, or one for each and at most `room`.
    pub(crate) fn form(
        &mut self,
        now: Duration,
        (key, _): (Key, u8),
        room: usize,
        combine: bool,
        stats: &mut Stats,
        mut push: impl FnMut(Item, VecDeque<Waiter>),
    ) {
        self.bury(now, stats);
        let policy = self.terms.policy;
        if !combine {
            for _ in 0..room.min(self.waiters.len()) {
                let Some(waiter) = self.waiters.pop_front() else { break };
                let ask =
                    Ask { mode: if waiter.ask.mode == Mode::Check { Mode::Check } else { Mode::Spend }, ..waiter.ask };
                let refund = self.refunds.pop_front();
                let item = Item { key, policy, refund, ask, retry_for: ask.cost, extra: 0 };
                self.under_way += 1;
                push(item, VecDeque::from([waiter]));
            }
            let probe = std::mem::take(&mut self.probe);
            let refund = if self.waiters.is_empty() { self.refunds.pop_front() } else { None };
            if self.waiters.is_empty() && (refund.is_some() || probe > 0) {
                let item = Item { key, policy, refund, ask: Ask::partial(probe), retry_for: 0, extra: 0 };
                self.under_way += 1;
                push(item, VecDeque::new());
            }
            return;
        }
        let probe = std::mem::take(&mut self.probe);
        let spends = self.waiters.iter().filter(|waiter| waiter.ask.mode != Mode::Check);
        let need = spends.fold(probe, |sum, waiter| sum.saturating_add(waiter.ask.cost));
        let cheapest = self.waiters.iter().map(|waiter| waiter.ask.cost).min().unwrap_or(0);
        if self.terms.lease.is_some() {
            // Used up before they died: twice as many. Otherwise what was used of them, and what waits now.
            self.want =
                if self.drained { self.want.saturating_mul(2).max(need) } else { self.want.max(need) }.min(LEASE);
            self.drained = false;
        }
        // Nobody waits: something only goes back.
        let extra = if self.terms.lease.is_some() && need > 0 { self.want } else { 0 };
        let item =
            Item { key, policy, refund: self.refunds.pop_front(), ask: Ask::partial(need), retry_for: cheapest, extra };
        self.under_way += 1;
        push(item, self.take_waiters());
    }

    /// Hands a grant out in the order of asking. Who asked for more than is left is refused, and those after it
    /// can still fit.
    pub(crate) fn hand_out(
        &mut self,
        sent: Duration,
        longest: Duration,
        waiters: VecDeque<Waiter>,
        answer: &Answer,
        outcomes: &mut Vec<(Ticket, Outcome)>,
    ) {
        let decision = &answer.decision;
        let mut left = decision.granted;
        let cheapest = waiters.iter().map(|waiter| waiter.ask.cost).min();
        for Waiter { ticket, ask } in waiters {
            let is_check = ask.mode == Mode::Check;
            let fits = if is_check { ask.cost <= left.saturating_add(decision.remaining) } else { ask.cost <= left };
            let decision = if fits {
                // Shaped units leave one after the other, though they were granted at once.
                let turn =
                    interval(&self.terms.policy).map_or(Duration::ZERO, |bucket| bucket.turn(decision.granted - left));
                left -= if is_check { 0 } else { ask.cost };
                let receipt = if is_check { Receipt::default() } else { part_of(decision.receipt, ask.cost) };
                Decision {
                    wait: decision.wait + turn,
                    receipt,
                    ..grant(ask.cost, left.saturating_add(decision.remaining), decision.reset)
                }
            } else {
                let remaining = left.saturating_add(decision.remaining);
                Decision { remaining, ..refusal(ask.cost, self.retry(ask.cost, answer), decision.reset) }
            };
            outcomes.push((ticket, Outcome { decision, by: By::Store }));
        }
        self.refused = None;
        // The store looked again after the grant: the cheapest does not fit, nor does anything dearer. What goes
        // back first could change that.
        if left == 0
            && let (Some(cost), Retry::After(time)) = (cheapest, decision.retry)
        {
            let (until, retry) = (sent + time.min(longest), sent + time);
            self.refused = Some(Refused { cost, until, retry, reset: sent + decision.reset });
        }
        self.keep(sent, left, answer);
    }

    /// When `cost` fits, given the answer: of a bucket exactly, otherwise what the store said of the cheapest.
    fn retry(&self, cost: u64, answer: &Answer) -> Retry {
        let Some(bucket) = interval(&self.terms.policy) else { return answer.decision.retry };
        let worth = cost.saturating_mul(bucket.interval());
        let ahead = u64::try_from(bucket.scale().span(answer.decision.reset)).unwrap_or(u64::MAX);
        Retry::After(bucket.scale().duration(ahead.saturating_add(worth).saturating_sub(bucket.tolerance())))
    }

    /// What nobody got becomes a lease, or goes back.
    fn keep(&mut self, sent: Duration, left: u64, answer: &Answer) {
        let Some(age) = self.terms.lease else {
            let receipt = answer.decision.receipt;
            if receipt.cost > 0 && left > 0 {
                self.back_to_store(part_of(receipt, left));
            }
            return;
        };
        let units = left + answer.extra;
        if units == 0 {
            return;
        }
        // The age begins when the question left: the store cannot have answered earlier.
        let until = sent + age * CLOCK / 32;
        let full = self.chunks.len() >= CHUNKS;
        match self.chunks.back_mut() {
            Some(last) if full => last.left += units,
            _ => self.chunks.push_back(Chunk { until, left: units }),
        }
    }
}
