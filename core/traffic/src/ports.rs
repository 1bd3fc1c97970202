//! What several gateways share so that they walk a plan together.
//!
//! One decides: the one that holds the tenure. The others tell it what they saw and do what it decided
//! ([`together`](crate::together)). What is written says over what it is written, and as whom, so that one whose
//! tenure ended without its knowledge changes nothing.

mod model;

pub use model::Model;

use crate::plan::{Sample, State};
use std::future::Future;
use std::pin::Pin;

/// The answer of a board, when it comes.
pub type Answer<'b, T> = Pin<Box<dyn Future<Output = Result<T, BoardError>> + Send + 'b>>;

/// A board that could not be read or written; what was asked for may have been done or not. The plan stays where it
/// is: shares do not change until the board answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the board of plans cannot be used: {reason}")]
pub struct BoardError {
    /// Why: one sentence, lower case, no full stop.
    pub reason: String,
}

/// The most [pieces](Seen::told) that come at once.
pub const PIECES: usize = 64;

/// What a gateway sees of a plan: all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of this gateway's tenure, if it is the one that decides. No two tenures have the same.
    pub tenure: Option<u64>,
    /// The name of the gateway that decides; empty if there is none at this moment.
    pub leader: String,
    /// What was decided last; `None` before the first writing.
    pub posted: Option<Posted>,
    /// What gateways told and nobody has counted, [`PIECES`] at most. For the one that decides.
    pub told: Vec<Piece>,
}

/// A state that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// What was written.
    pub state: State,
    /// Another one for every writing of this plan; never 0.
    pub version: u64,
    /// The name of the gateway that wrote it.
    pub by: String,
}

/// What one gateway told at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The board's name for it.
    pub id: String,
    /// What was told.
    pub told: Told,
}

/// What a gateway saw of both sides since it told it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The [revision](State::revision) of the state that was in force there meanwhile: what belongs to another step
    /// is not counted.
    pub revision: u64,
    /// The canary's side.
    pub canary: Sample,
    /// The stable side.
    pub stable: Sample,
}

/// What a state is written over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Over {
    /// The version of the state that it was made from; 0 if there was none.
    pub version: u64,
    /// The tenure in which it was made. `None` for what somebody commanded, which any gateway may write.
    pub tenure: Option<u64>,
    /// The pieces that it was made from: removed with the writing.
    pub counted: Vec<String>,
}

/// Where several gateways post what a plan does. Each has its own handle. Plans go by their
/// [key](crate::plan::key), the same in every gateway that has the same plan.
///
/// A gateway is known by its [`alive`](Self::alive): when it has not said it for some seconds its tenures end, and
/// what it told is removed if nobody has counted it.
///
/// Dropping an answer that has not come is as an error: what was asked for may have been done.
pub trait Board: Send + Sync {
    /// The name under which other gateways see this one.
    fn name(&self) -> &str;

    /// Says that this gateway goes on. To be called every second, before anything else.
    fn alive(&self) -> Answer<'_, ()>;

    /// Looks at a plan, and takes the tenure if nobody has it.
    fn look<'b>(&'b self, plan: &'b str) -> Answer<'b, Seen>;

    /// Tells what this gateway saw. It is counted once, or never if it gets lost.
    fn tell<'b>(&'b self, plan: &'b str, told: &'b Told) -> Answer<'b, ()>;

    /// Writes a state and removes what it counted, in one. `false`, and nothing is changed, if the plan's version is
    /// another one or the tenure is over: look again.
    fn write<'b>(&'b self, plan: &'b str, state: &'b State, over: &'b Over) -> Answer<'b, bool>;

    /// This gateway has the plan no more: its tenure ends at once.
    fn leave<'b>(&'b self, plan: &'b str) -> Answer<'b, ()>;

    /// Forgets the states of plans that no gateway has, save those that are `known` here: a plan that comes again
    /// begins anew.
    fn sweep<'b>(&'b self, known: &'b [String]) -> Answer<'b, ()>;
}
