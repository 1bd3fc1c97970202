//! A node's side of a shared limit: combining, leases and the refusal cache, as a machine without a wire.
//!
//! ```text
//! ask ───► lease? ──► admitted                            no message
//!      ├─► refusal still stands? ──► refused              no message
//!      └─► waits with others of its key
//! poll ──► Batch (all that wait; the next one forms while others are under way) ──► the store
//! answered ◄── one grant for each key, handed out in the order of asking
//! failed ◄──── each limit's own policy answers; nothing is sent twice
//! ```
//!
//! **Combining** changes nothing but the number of messages: what is handed out was taken in the store between the
//! asking and the answer. **Leases** are taken in advance and die young; [`Terms::leased`] takes off the burst
//! what could add up meanwhile. The **refusal cache** repeats a refusal until the time that came with it, counted
//! from when the question was sent: budgets only come back with time.

mod entry;
mod failure;
mod refund;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::time::Duration;

use crate::algorithm::Policy;
use crate::ask::{Ask, Decision, Receipt, Retry};
use crate::gcra::Gcra;
use crate::key::{Key, OfKeys};
use crate::ports::{Answer, Batch, StoreError};
use crate::quota::Rate;

use entry::{Entry, Waiter};
pub use failure::Failure;

/// Bounds of a [`Front`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Whether requests for one key are put together.
    pub combine: bool,
    /// Items in a batch, at least 1.
    pub batch: usize,
    /// Batches under way at one time, at least 1. With two the store decides one while the next is on its way to it.
    pub under_way: usize,
    /// Requests that may wait; further ones are answered by their limit's failure policy.
    pub waiting: usize,
    /// Keys of which something is remembered.
    pub keys: usize,
    /// The longest time for which a refusal is repeated: a limit that was raised is felt after it.
    pub refusal: Duration,
    /// Batches in a row without an answer after which the store counts as down.
    pub failures: u32,
    /// How long the store is left alone then, before one batch tries again.
    pub pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            combine: true,
            batch: 256,
            under_way: 2,
            waiting: 65_536,
            keys: 65_536,
            refusal: Duration::from_secs(1),
            failures: 3,
            pause: Duration::from_millis(100),
        }
    }
}

/// How often it is looked for keys of which nothing has to be remembered any more, while there are as many as there
/// is room for: a look takes about a millisecond, in which nobody else is answered.
const PRUNE: Duration = Duration::from_millis(20);

/// The terms of a limit for one class of callers, the same on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    policy: Policy,
    /// How long a lease lives; `None`: every unit is asked for when it is needed.
    lease: Option<Duration>,
    /// Distinguishes the classes of a limit on one key.
    class: u8,
    failure: Failure,
}

/// Of a lease's age a node uses so many parts in 32: its clock may be slow by the rest.
const CLOCK: u32 = 31;
/// The most units of one lease.
const LEASE: u64 = 1 << 20;

impl Terms {
    /// Every unit is asked for when it is needed.
    #[must_use]
    pub const fn plain(policy: Policy, class: u8, failure: Failure) -> Self {
        Self { policy, lease: None, class, failure }
    }

    /// Units may be taken in advance, for at most `age`. The burst becomes less by `rate × age`; if that is all
    /// of it, or the algorithm is no bucket, the terms are plain.
    #[must_use]
    pub fn leased(policy: Policy, age: Duration, class: u8, failure: Failure) -> Self {
        let reduced = match policy {
            Policy::Bucket(bucket) => bucket.leased(age),
            _ => None,
        };
        match reduced {
            Some(bucket) => Self { policy: Policy::Bucket(bucket), lease: Some(age), class, failure },
            None => Self::plain(policy, class, failure),
        }
    }

    /// The same terms for somebody who must leave `units` to others.
    #[must_use]
    pub fn leaving(self, units: u64) -> Self {
        Self { policy: self.policy.leaving(units), ..self }
    }

    /// The quota, as the store gets it.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Leases whose burst is whole: too much can pass. For the test that shows it.
    #[doc(hidden)]
    #[must_use]
    pub const fn leased_with_whole_burst(policy: Policy, age: Duration, class: u8, failure: Failure) -> Self {
        Self { policy, lease: Some(age), class, failure }
    }

    /// What is answered while the store does not.
    #[must_use]
    pub const fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The refusal of a cost that is more than the quota ever holds, if it is.
    #[must_use]
    pub fn never(&self, ask: Ask) -> Option<Outcome> {
        impossible(&self.policy, ask).map(|decision| Outcome { decision, by: By::Terms })
    }

    /// Whether units are taken in advance.
    #[must_use]
    pub const fn has_leases(&self) -> bool {
        self.lease.is_some()
    }
}

/// A request that waits, by the caller's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// The store, for this request.
    Store,
    /// A lease.
    Lease,
    /// A refusal that still stands.
    Refusal,
    /// The limit's failure policy: the store did not answer, or too many wait.
    Failure,
    /// The limit's terms alone: it never admits such a cost.
    Terms,
    /// A service that has rules of its own.
    Service {
        /// The quota that it told; `None`: it has no such limit.
        quota: Option<Rate>,
    },
}

/// A decision, and who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// Who made it.
    pub by: By,
}

/// Counts since the start, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Questions that were asked.
    pub asked: u64,
    /// Batches sent.
    pub batches: u64,
    /// Items in them: operations of the store.
    pub items: u64,
    /// Units lent by the store.
    pub lent: u64,
    /// Of those, and of what was asked for and not needed, units that were used without a question.
    pub spent: u64,
    /// Units that died unused.
    pub died: u64,
    /// Refusals repeated without a message.
    pub repeated: u64,
    /// Batches without an answer.
    pub failed: u64,
    /// Decisions by a failure policy.
    pub fallen_back: u64,
}

/// A node's side of the limits of one store.
#[derive(Debug)]
pub struct Front {
    config: Config,
    entries: HashMap<(Key, u8), Entry, BuildHasherDefault<OfKeys>>,
    ready: VecDeque<(Key, u8)>,
    sent: Vec<Sent>,
    waiting: usize,
    next: u64,
    /// The latest time seen: a clock that goes back stands still.
    now: Duration,
    failures: u32,
    /// The store is down, and may be tried at this time.
    down: Option<Duration>,
    pruned: Duration,
    /// When the front began. A node's own buckets are empty then: an earlier life may have used them.
    born: Duration,
    stats: Stats,
}

#[derive(Debug)]
struct Sent {
    id: u64,
    at: Duration,
    items: Vec<SentItem>,
}

#[derive(Debug)]
struct SentItem {
    place: (Key, u8),
    waiters: VecDeque<Waiter>,
}

impl Front {
    /// A front that knows nothing yet, and begins `now`.
    #[must_use]
    pub fn new(config: Config, now: Duration) -> Self {
        let config = Config { batch: config.batch.max(1), under_way: config.under_way.max(1), ..config };
        Self {
            config,
            entries: HashMap::default(),
            ready: VecDeque::new(),
            sent: Vec::new(),
            waiting: 0,
            next: 0,
            now,
            failures: 0,
            down: None,
            pruned: Duration::ZERO,
            born: now,
            stats: Stats::default(),
        }
    }

    /// Counts since the start.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Requests that wait now.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Keys remembered now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.entries.len()
    }

    /// Whether the store is left alone because it did not answer.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.down.is_some()
    }

    /// Asks for `cost` units of `key`. `None`: the answer comes with [`Front::answered`] or [`Front::failed`], under
    /// `ticket`, which the caller makes unique. `now` is the node's monotonic clock.
    /// [`Mode::Partial`](crate::Mode::Partial) is answered as [`Mode::Spend`](crate::Mode::Spend).
    pub fn ask(&mut self, now: Duration, key: Key, terms: &Terms, ask: Ask, ticket: Ticket) -> Option<Outcome> {
        let now = self.tick(now);
        self.stats.asked += 1;
        if let Some(outcome) = terms.never(ask) {
            return Some(outcome);
        }
        let known = self.entries.contains_key(&(key, terms.class));
        if !known && self.entries.len() >= self.config.keys {
            self.prune(now);
            if self.entries.len() >= self.config.keys {
                self.stats.fallen_back += 1;
                return Some(terms.failure.alone(ask));
            }
        }
        let left_alone = self.down.is_some_and(|until| now < until || !self.sent.is_empty());
        let full = self.waiting >= self.config.waiting;
        let entry = self.entries.entry((key, terms.class)).or_insert_with(|| Entry::new(*terms, self.born));
        entry.terms = *terms;
        if let Some(decision) = entry.use_lease(now, ask, &mut self.stats) {
            return Some(Outcome { decision, by: By::Lease });
        }
        if let Some(decision) = entry.refused(now, ask) {
            self.stats.repeated += 1;
            return Some(Outcome { decision, by: By::Refusal });
        }
        if full || self.down.is_some() {
            self.stats.fallen_back += 1;
            // Somebody has to try whether it is back, and nobody has to wait for that.
            if !left_alone && !full && self.ready.is_empty() {
                entry.probe = ask.cost.max(1);
                entry.queued = true;
                self.ready.push_back((key, terms.class));
            }
            return Some(entry.fall_back(now, ask));
        }
        entry.wait(Waiter { ticket, ask });
        self.waiting += 1;
        if !entry.queued && (entry.under_way == 0 || !self.config.combine) {
            entry.queued = true;
            self.ready.push_back((key, terms.class));
        }
        None
    }

    /// The next batch, if somebody waits and the store has room for one.
    pub fn poll(&mut self, now: Duration) -> Option<Batch> {
        let now = self.tick(now);
        let most = if self.down.is_some() { 1 } else { self.config.under_way };
        if self.ready.is_empty() || self.sent.len() >= most {
            return None;
        }
        let (mut items, mut sent) = (Vec::new(), Vec::new());
        while items.len() < self.config.batch
            && let Some(place) = self.ready.pop_front()
        {
            let Some(entry) = self.entries.get_mut(&place) else { continue };
            entry.queued = false;
            if self.down.is_some() {
                entry.forget_refunds();
            }
            if !entry.has_something_to_say() {
                continue;
            }
            let room = if self.config.combine { usize::MAX } else { self.config.batch - items.len() };
            entry.form(now, place, room, self.config.combine, &mut self.stats, |item, waiters| {
                items.push(item);
                sent.push(SentItem { place, waiters });
            });
            if entry.has_waiters() && (entry.under_way == 0 || !self.config.combine) {
                entry.queued = true;
                self.ready.push_back(place);
            }
        }
        if items.is_empty() {
            return None;
        }
        self.next += 1;
        self.stats.batches += 1;
        self.stats.items += items.len() as u64;
        self.sent.push(Sent { id: self.next, at: now, items: sent });
        Some(Batch { id: self.next, items })
    }

    fn take_sent(&mut self, id: u64) -> Option<Sent> {
        let index = self.sent.iter().position(|sent| sent.id == id)?;
        Some(self.sent.swap_remove(index))
    }

    /// The store's answers to a batch, one for each item. A batch that was given up is ignored: what it took is lost.
    pub fn answered(&mut self, now: Duration, id: u64, answers: &[Answer]) -> Vec<(Ticket, Outcome)> {
        let now = self.tick(now);
        let Some(sent) = self.take_sent(id) else { return Vec::new() };
        if answers.len() != sent.items.len() {
            return self.fail(now, sent, StoreError::Unanswered);
        }
        self.failures = 0;
        self.down = None;
        let mut outcomes = Vec::with_capacity(sent.items.iter().map(|item| item.waiters.len()).sum());
        for (item, answer) in sent.items.into_iter().zip(answers) {
            self.waiting -= item.waiters.len();
            let Some(entry) = self.entries.get_mut(&item.place) else { continue };
            self.stats.lent += answer.extra;
            entry.hand_out(sent.at, self.config.refusal, item.waiters, answer, &mut outcomes);
            self.settle(item.place, now);
        }
        outcomes
    }

    /// The store did not answer a batch. It is not sent again, for it may have been applied. A store that declines is
    /// there: who can choose what is asked cannot make it count as down.
    pub fn failed(&mut self, now: Duration, id: u64, error: StoreError) -> Vec<(Ticket, Outcome)> {
        let now = self.tick(now);
        let Some(sent) = self.take_sent(id) else { return Vec::new() };
        self.fail(now, sent, error)
    }

    fn fail(&mut self, now: Duration, sent: Sent, error: StoreError) -> Vec<(Ticket, Outcome)> {
        self.stats.failed += 1;
        match error {
            StoreError::Declined => (self.failures, self.down) = (0, None),
            StoreError::Unreachable | StoreError::Unanswered => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= self.config.failures {
                    self.down = Some(now + self.config.pause);
                }
            }
        }
        let mut outcomes = Vec::new();
        for item in sent.items {
            self.waiting -= item.waiters.len();
            let Some(entry) = self.entries.get_mut(&item.place) else { continue };
            for waiter in item.waiters {
                self.stats.fallen_back += 1;
                outcomes.push((waiter.ticket, entry.fall_back(now, waiter.ask)));
            }
            // Those who came meanwhile would wait for a store that is down.
            if self.down.is_some() {
                entry.forget_refunds();
                for waiter in entry.take_waiters() {
                    self.waiting -= 1;
                    self.stats.fallen_back += 1;
                    outcomes.push((waiter.ticket, entry.fall_back(now, waiter.ask)));
                }
            }
            self.settle(item.place, now);
        }
        outcomes
    }

    /// After an answer: the entry waits its turn again, or is forgotten.
    fn settle(&mut self, place: (Key, u8), now: Duration) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        entry.under_way = entry.under_way.saturating_sub(1);
        if entry.has_something_to_say() && !entry.queued && (entry.under_way == 0 || !self.config.combine) {
            entry.queued = true;
            self.ready.push_back(place);
        } else if entry.is_idle(now) {
            self.entries.remove(&place);
        }
    }

    /// Forgets what says nothing any more; now and then, for it looks at every key.
    fn prune(&mut self, now: Duration) {
        if now >= self.pruned + PRUNE {
            self.pruned = now;
            self.entries.retain(|_, entry| !entry.is_idle(now));
        }
    }

    fn tick(&mut self, now: Duration) -> Duration {
        self.now = self.now.max(now);
        self.now
    }
}

/// The answer to a cost that the terms never admit, or that costs nothing.
fn impossible(policy: &Policy, ask: Ask) -> Option<Decision> {
    let holds = match policy {
        Policy::Bucket(bucket) => bucket.burst(),
        Policy::Window(window) => window.limit,
        Policy::Log(log) => log.limit(),
        Policy::Fixed(fixed) => fixed.limit(),
        Policy::Concurrency(concurrency) => concurrency.limit(),
    };
    (ask.cost > holds).then(|| refusal(ask.cost, Retry::Never, Duration::ZERO))
}

fn refusal(asked: u64, retry: Retry, reset: Duration) -> Decision {
    Decision { asked, granted: 0, remaining: 0, retry, reset, wait: Duration::ZERO, receipt: Receipt::default() }
}

fn grant(asked: u64, remaining: u64, reset: Duration) -> Decision {
    let (retry, wait) = (Retry::Now, Duration::ZERO);
    Decision { asked, granted: asked, remaining, retry, reset, wait, receipt: Receipt::default() }
}

fn interval(policy: &Policy) -> Option<&Gcra> {
    match policy {
        Policy::Bucket(bucket) => Some(bucket),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
