//! One gateway's part in a plan that several walk: what it does with what it sees on the board.
//!
//! ```text
//!            ┌─ decides ──► steps the plan with what all saw ──► writes it over what it saw
//! look ──► follow what was posted
//!            └─ follows ──► tells what it saw itself
//! ```
//!
//! What is counted is counted once: a piece is removed by the writing that counts it. Of what gets lost on the way a
//! plan only takes longer.

use crate::plan::{Command, Decision, Event, Plan, Sample, State};
use crate::ports::{Over, Seen, Told};
use std::time::Duration;

/// What a gateway does after it has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// What is in force now.
    pub state: State,
    /// What it does then.
    pub then: Then,
}

/// What a gateway does on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Tells what it saw.
    Tell(Told),
    /// Writes.
    Write(Box<Writing>),
}

/// A state to be written, and to be in force if it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// The state.
    pub state: State,
    /// Over what.
    pub over: Over,
    /// What led to it, if anything was decided.
    pub decision: Option<Decision>,
}

/// A round of a plan. `known` is what was in force here until now, and `canary` and `stable` what was seen
/// meanwhile.
#[must_use]
pub fn round(plan: &Plan, known: &State, seen: &Seen, (canary, stable): (Sample, Sample), now: Duration) -> Round {
    let state = in_force(known, seen);
    // What was seen under another state belongs to another step.
    let told = Told { revision: known.revision, canary, stable };
    let is_of_now = |told: &Told| told.revision == state.revision;
    if seen.tenure.is_none() {
        let is_news = state.phase.is_open() && is_of_now(&told) && !told.is_empty();
        return Round { state, then: if is_news { Then::Tell(told) } else { Then::Nothing } };
    }
    let (mut canary, mut stable) = (Sample::default(), Sample::default());
    for told in seen.told.iter().map(|piece| &piece.told).chain([&told]).filter(|told| is_of_now(told)) {
        canary.add(&told.canary);
        stable.add(&told.stable);
    }
    let (next, decision) = plan.step(state.clone(), Event::Observed { canary, stable }, now);
    if seen.posted.is_some() && seen.told.is_empty() && next == state {
        return Round { state, then: Then::Nothing };
    }
    let counted = seen.told.iter().map(|piece| piece.id.clone()).collect();
    let over = Over { version: version(seen), tenure: seen.tenure, counted };
    Round { state, then: Then::Write(Box::new(Writing { state: next, over, decision })) }
}

/// What becomes of a command. Any gateway can write it, whoever decides. Nothing is to be written if it is
/// [refused](Decision::Refused).
#[must_use]
pub fn ordered(plan: &Plan, known: &State, seen: &Seen, command: Command, now: Duration) -> Writing {
    let (state, decision) = plan.step(in_force(known, seen), Event::Command(command), now);
    Writing { state, over: Over { version: version(seen), ..Over::default() }, decision }
}

/// What was posted. If nothing was, the plan goes on with what is known here: it has just begun, or the board has
/// lost it.
fn in_force(known: &State, seen: &Seen) -> State {
    seen.posted.as_ref().map_or_else(|| known.clone(), |posted| posted.state.clone())
}

fn version(seen: &Seen) -> u64 {
    seen.posted.as_ref().map_or(0, |posted| posted.version)
}

impl Told {
    /// There is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let sides = [&self.canary, &self.stable];
        sides.iter().all(|sample| sample.calls == 0 && sample.errors == 0)
    }
}
