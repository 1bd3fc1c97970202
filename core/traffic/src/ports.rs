//! What several gateways share so that they walk a plan together.
//!
//! One decides: the one that [`Board::lead`] says holds the tenure. The others tell it what they saw and do what
//! it decided. A decision is written only over the state that it was made from, so that one whose tenure ended
//! without its knowledge changes nothing.

use crate::plan::{Sample, State};
use std::future::Future;
use std::pin::Pin;

/// The answer of a board, when it comes.
pub type Answer<'b, T> = Pin<Box<dyn Future<Output = Result<T, BoardError>> + Send + 'b>>;

/// A board that could not be read or written. The plan stays where it is: shares do not change until it answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the board of plans cannot be reached: {reason}")]
pub struct BoardError {
    /// Why: one sentence, lower case, no full stop.
    pub reason: String,
}

/// A state, and the number of its writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// What was written.
    pub state: State,
    /// Grows with every writing of this plan.
    pub version: u64,
}

/// Where several gateways post what a plan does. Names are those of plans, the same in every gateway.
pub trait Board: Send + Sync {
    /// Whether this gateway decides about a plan now; asks for the tenure if nobody has it.
    fn lead<'b>(&'b self, plan: &'b str) -> Answer<'b, bool>;

    /// What was decided last; `None` before the first writing.
    fn read<'b>(&'b self, plan: &'b str) -> Answer<'b, Option<Posted>>;

    /// Writes a state over the one of this version (0 is none). `false` if it is not that one any more: read
    /// again.
    fn write<'b>(&'b self, plan: &'b str, state: &'b State, over: u64) -> Answer<'b, bool>;

    /// Tells what this gateway saw, of the canary and of the stable side, since it told it last.
    fn tell<'b>(&'b self, plan: &'b str, canary: &'b Sample, stable: &'b Sample) -> Answer<'b, ()>;

    /// Takes what all gateways told since it was taken last; for the one that leads.
    fn take<'b>(&'b self, plan: &'b str) -> Answer<'b, (Sample, Sample)>;
}
