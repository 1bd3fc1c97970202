//! Turns callers into batches for a store, and its answers into theirs, within a budget of time.
//!
//! One task sends; what comes while as many batches are under way as may be is the next batch. A caller whose answer is known without the
//! store (a lease, a refusal that stands, a store that is down) never waits.

mod waiting;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;
use tidegate_limit::front::{self, Front, Outcome, Terms, Ticket};
use tidegate_limit::ports::{
    Answer, Asked, Batch, CounterStore, Inbox, Item, Looking, Outbox, SharedLimits, Standing, StoreError, Times,
};
use tidegate_limit::{Ask, Key, Policy, Receipt};
use tokio::sync::{Notify, oneshot};
use tokio::task::{self, AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::config::Clock;
use waiting::{Letter, Waiting};

/// How a [`Driver`] uses its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverConfig {
    /// Combining, batches, and when the store counts as down.
    pub front: front::Config,
    /// The longest time that a caller waits for a batch; whole milliseconds. A batch that formed while others were
    /// under way waits for one of them too.
    pub budget: Duration,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self { front: front::Config::default(), budget: Duration::from_millis(5) }
    }
}

/// How long an operator waits.
const OPERATOR: Duration = Duration::from_secs(1);

/// A node's side of the limits of one store. Its task ends with this value.
pub struct Driver {
    shared: Arc<Shared>,
    store: Arc<dyn CounterStore>,
    budget: Duration,
    task: AbortHandle,
}

struct Shared {
    state: Mutex<State>,
    times: Mutex<Times>,
    wake: Notify,
    clock: Clock,
}

struct State {
    front: Front,
    /// By ticket.
    waiting: Slab<Waiting>,
    /// The task knows that there is something to do, or looks when the batch that is under way comes back.
    awake: bool,
}

type Replied = Result<Vec<Answer>, StoreError>;

impl Driver {
    /// Starts the task.
    ///
    /// # Panics
    /// Outside of a Tokio runtime. The runtime should outlive those of the callers.
    #[must_use]
    pub fn start(store: Arc<dyn CounterStore>, config: DriverConfig, clock: Clock) -> Self {
        let front = Front::new(config.front, clock());
        let state = Mutex::new(State { front, waiting: Slab::new(), awake: false });
        let slots = config.front.under_way;
        let shared = Arc::new(Shared { state, times: Mutex::default(), wake: Notify::new(), clock });
        let task = tokio::spawn(run(Arc::clone(&shared), Arc::clone(&store), config.budget, slots)).abort_handle();
        Self { shared, store, budget: config.budget, task }
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> front::Stats {
        self.shared.state.lock().front.stats()
    }

    /// Requests that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.state.lock().front.waiting()
    }

    /// Keys remembered now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shared.state.lock().front.keys()
    }

    /// Whether the store is left alone because it did not answer.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.shared.state.lock().front.is_down()
    }
}

impl SharedLimits for Driver {
    fn ask(&self, key: Key, terms: &Terms, ask: Ask) -> Asked {
        let (answer, waits) = {
            let mut state = self.shared.state.lock();
            if let Some(outcome) = self.shared.known(&mut state, key, terms, ask) {
                return Asked::Answered(outcome);
            }
            let (answer, waits) = oneshot::channel();
            state.waiting.insert(Waiting::Caller(answer));
            (waits, self.shared.must_wake(&mut state))
        };
        if waits {
            self.shared.wake.notify_one();
        }
        Asked::Waits(Box::pin(async move { answer.await.ok() }))
    }

    fn give_back(&self, key: Key, terms: &Terms, outcome: &Outcome) {
        let mut state = self.shared.state.lock();
        state.front.give_back((self.shared.clock)(), key, terms, outcome);
        if state.front.is_ready() && self.shared.must_wake(&mut state) {
            self.shared.wake.notify_one();
        }
    }

    fn look(&self, key: Key, policy: &Policy) -> Looking {
        self.at_once(key, *policy, None)
    }

    fn reset(&self, key: Key, policy: &Policy) -> Looking {
        self.at_once(key, *policy, Some(Receipt::ALL))
    }

    fn standing(&self) -> Standing {
        let (down, waiting, keys, front) = {
            let front = &self.shared.state.lock().front;
            (front.is_down(), front.waiting(), front.keys(), front.stats())
        };
        let (latency, latency_sum) = {
            let times = self.shared.times.lock();
            (times.counts, times.sum)
        };
        Standing { down, waiting, keys, front, latency, latency_sum, servers: self.store.servers() }
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        Some(self)
    }
}

impl Outbox for Driver {
    fn post(&self, key: Key, terms: &Terms, ask: Ask, inbox: &Arc<dyn Inbox>, number: u64) -> Option<Outcome> {
        let mut state = self.shared.state.lock();
        let known = self.shared.known(&mut state, key, terms, ask);
        if known.is_none() {
            state.waiting.insert(Waiting::Letter(Letter::new(inbox, number)));
        }
        known
    }

    fn send(&self) {
        let mut state = self.shared.state.lock();
        if state.front.is_ready() && self.shared.must_wake(&mut state) {
            self.shared.wake.notify_one();
        }
    }
}

impl Driver {
    /// Asks the store past the front: nothing is taken, all may be given back. An operator is more patient than a request.
    fn at_once(&self, key: Key, policy: Policy, refund: Option<Receipt>) -> Looking {
        let (store, patience) = (Arc::clone(&self.store), self.budget.max(OPERATOR));
        Box::pin(async move {
            let item = Item { key, policy, refund, ask: Ask::check(0), retry_for: 0, extra: 0 };
            let asked = timeout(patience, store.decide(Batch { id: 0, items: vec![item] }));
            let answers = asked.await.unwrap_or(Err(StoreError::Unanswered))?;
            answers.first().map(|answer| answer.decision).ok_or(StoreError::Unanswered)
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// `slots`: batches under way at one time.
async fn run(shared: Arc<Shared>, store: Arc<dyn CounterStore>, budget: Duration, slots: usize) {
    let mut under_way: JoinSet<Replied> = JoinSet::new();
    let mut batches: HashMap<task::Id, u64> = HashMap::new();
    loop {
        loop {
            let batch = {
                let mut state = shared.state.lock();
                let batch = state.front.poll((shared.clock)());
                state.awake = batch.is_some() || under_way.len() >= slots;
                batch
            };
            let Some(batch) = batch else { break };
            let number = batch.id;
            let sending = under_way.spawn(send(Arc::clone(&shared), Arc::clone(&store), batch, budget));
            batches.insert(sending.id(), number);
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            Some(joined) = under_way.join_next_with_id(), if !under_way.is_empty() => {
                // A store that panics has not answered.
                let (id, reply) = joined.unwrap_or_else(|error| (error.id(), Err(StoreError::Unanswered)));
                if let Some(number) = batches.remove(&id) {
                    shared.deliver(number, reply);
                }
            }
        }
    }
}

async fn send(shared: Arc<Shared>, store: Arc<dyn CounterStore>, batch: Batch, budget: Duration) -> Replied {
    let began = (shared.clock)();
    let reply = timeout(budget, store.decide(batch)).await.unwrap_or(Err(StoreError::Unanswered));
    shared.times.lock().took((shared.clock)().saturating_sub(began));
    reply
}

impl Shared {
    /// The answer, if it is known without the store. If it is not, who waits for it is inserted next.
    fn known(&self, state: &mut State, key: Key, terms: &Terms, ask: Ask) -> Option<Outcome> {
        let ticket = Ticket(state.waiting.vacant_key() as u64);
        let outcome = state.front.ask((self.clock)(), key, terms, ask, ticket)?;
        // It is to be tried whether the store is back.
        if state.front.is_down() && state.front.is_ready() && self.must_wake(state) {
            self.wake.notify_one();
        }
        Some(outcome)
    }

    /// Whether the task has to be told that there is something to do.
    const fn must_wake(&self, state: &mut State) -> bool {
        !std::mem::replace(&mut state.awake, true)
    }

    fn deliver(&self, id: u64, reply: Replied) {
        let now = (self.clock)();
        let outcomes = {
            let mut state = self.state.lock();
            let State { front, waiting, .. } = &mut *state;
            let outcomes = match reply {
                Ok(answers) => front.answered(now, id, &answers),
                Err(error) => front.failed(now, id, error),
            };
            let place = |ticket: Ticket| usize::try_from(ticket.0).unwrap_or(usize::MAX);
            let told = outcomes.into_iter();
            told.filter_map(|(ticket, outcome)| Some((waiting.try_remove(place(ticket))?, outcome))).collect()
        };
        waiting::tell(outcomes);
    }
}
