//! What this core needs of others: a store that several nodes share.

mod service;
mod times;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::algorithm::Policy;
use crate::ask::{Ask, Decision, Receipt};
use crate::front::{self, Outcome, Terms};
use crate::key::Key;

pub use service::{LimitService, Question};
pub use times::Times;

/// One key's part of a batch. The store does, at once and in this order: give back, decide, lend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The key.
    pub key: Key,
    /// Its quota, in [`Scale::Shared`](crate::Scale::Shared).
    pub policy: Policy,
    /// What was taken before and is not needed.
    pub refund: Option<Receipt>,
    /// What to take.
    pub ask: Ask,
    /// The cost for which the answer's [`Decision::retry`] tells when it would fit: that of the cheapest request
    /// that waits.
    pub retry_for: u64,
    /// Units to lend beyond that, if there is plenty: at most one part in [`LENT`] of what remains.
    pub extra: u64,
}

/// What remains of a limit is lent in parts of this size, so that leases shrink to nothing near exhaustion.
pub const LENT: u64 = 8;

/// The answer to an [`Item`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What was taken; `retry` is about [`Item::retry_for`].
    pub decision: Decision,
    /// Units lent.
    pub extra: u64,
}

/// Questions that go to the store in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number, never used again by the same [`Front`](crate::front::Front).
    pub id: u64,
    /// At most as many as the front is configured for. With combining a key stands in it once.
    pub items: Vec<Item>,
}

/// Why a store gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreError {
    /// Nothing was taken: the message was never sent, or surely refused.
    #[error("the store of the limit cannot be reached")]
    Unreachable,
    /// It may have been taken: no answer came in time. A batch is never sent again.
    #[error("the store of the limit did not answer in time")]
    Unanswered,
    /// Nothing was taken: it is there, and does not take this question.
    #[error("the store of the limit does not take such a question")]
    Declined,
}

/// The future of [`CounterStore::decide`].
pub type Deciding<'a> = Pin<Box<dyn Future<Output = Result<Vec<Answer>, StoreError>> + Send + 'a>>;

/// An answer, or the wait for it.
pub enum Asked {
    /// Known without the store.
    Answered(Outcome),
    /// It comes within the budget of who drives the store. `None`: the driver ended.
    Waits(Pin<Box<dyn Future<Output = Option<Outcome>> + Send>>),
}

impl Debug for Asked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(outcome) => f.debug_tuple("Answered").field(outcome).finish(),
            Self::Waits(_) => f.write_str("Waits"),
        }
    }
}

/// Limits that several nodes share, as a node's requests ask for them: a [`Front`](crate::front::Front) with somebody
/// who sends its batches.
pub trait SharedLimits: Send + Sync + Debug {
    /// Asks for units of `key` under `terms`. Who does not wait for the answer may have spent them.
    fn ask(&self, key: Key, terms: &Terms, ask: Ask) -> Asked;

    /// Gives back what an answer took, because another limit refused the request.
    fn give_back(&self, key: Key, terms: &Terms, outcome: &Outcome);

    /// What the store knows of a key, past all that this node knows of it: for an operator.
    fn look(&self, key: Key, policy: &Policy) -> Looking;

    /// Makes the budget of a key whole, for an operator, and tells what the store knows of it then. Leases that nodes
    /// have stay, and a refusal that one repeats ends within [`front::Config::refusal`](crate::front::Config).
    fn reset(&self, key: Key, policy: &Policy) -> Looking;

    /// How things stand, for operators.
    fn standing(&self) -> Standing;

    /// For those who ask for many; `None`: each has to [`ask`](Self::ask).
    fn outbox(&self) -> Option<&dyn Outbox> {
        None
    }
}

/// The way to ask for those who ask for many at a time: their questions leave together, and the answers of a batch
/// come with one call.
pub trait Outbox {
    /// Asks for units of `key` under `terms`. `None`: the answer comes to `inbox`, under `number`. The question can
    /// wait for [`Outbox::send`], which the caller must call before it does nothing.
    fn post(&self, key: Key, terms: &Terms, ask: Ask, inbox: &Arc<dyn Inbox>, number: u64) -> Option<Outcome>;

    /// What was posted leaves as soon as the store has room for it.
    fn send(&self);
}

/// Where answers go to those who ask for many.
pub trait Inbox: Send + Sync {
    /// Takes answers, each with its number. `None`: the driver ended. Called by the driver's thread, which is held up
    /// for as long as it takes.
    fn take(&self, answers: Vec<(u64, Option<Outcome>)>);
}

/// The future of [`SharedLimits::look`].
pub type Looking = Pin<Box<dyn Future<Output = Result<Decision, StoreError>> + Send>>;

/// Upper bounds of [`Standing::latency`], in microseconds; what took longer counts in the last one beyond them.
pub const LATENCY_BOUNDS_US: [u64; 14] =
    [100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// How it stands with a store. Counts only grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// It is left alone because it did not answer, but for one batch from time to time.
    pub down: bool,
    /// Requests that wait now.
    pub waiting: usize,
    /// Keys of which something is remembered now.
    pub keys: usize,
    /// What the node's side did.
    pub front: front::Stats,
    /// Batches by the time until their answers, each up to its bound.
    pub latency: [u64; LATENCY_BOUNDS_US.len() + 1],
    /// The sum of those times.
    pub latency_sum: Duration,
    /// What is known of the servers.
    pub servers: Servers,
}

/// What a store tells of its servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Servers {
    /// Where it is, without secrets.
    pub address: String,
    /// Those that are connected, each with what it says of itself.
    pub connected: Vec<(String, String)>,
    /// The last failure that no answer came after, in words.
    pub failure: Option<String>,
    /// Batches without an answer of which nothing was taken.
    pub unreachable: u64,
    /// Batches without an answer that may have been taken.
    pub unanswered: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Times that data was lost, or was not there yet.
    pub losses: u64,
    /// Times that a server's clock jumped ahead.
    pub clock_forward: u64,
    /// Times that a server's clock went back.
    pub clock_back: u64,
}

/// Counters that several nodes share.
///
/// The store reads its own clock: none of a node's crosses this port. Each item is decided at once, as
/// [`Shared`](crate::shared::Shared) does it; items of a batch need not be decided together.
pub trait CounterStore: Send + Sync + Debug {
    /// Decides a batch: one answer for each item, in order.
    ///
    /// # Errors
    /// [`StoreError`]; the implementation never sends a batch twice once it could have been applied.
    fn decide(&self, batch: Batch) -> Deciding<'_>;

    /// What is known of its servers, for operators.
    fn servers(&self) -> Servers {
        Servers::default()
    }
}
