//! What this core needs of others: a store that several nodes share.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;

use crate::algorithm::Policy;
use crate::ask::{Ask, Decision, Receipt};
use crate::front::{Outcome, Terms};
use crate::key::Key;

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
}
