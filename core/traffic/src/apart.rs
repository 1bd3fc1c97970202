//! What a gateway does with a plan that it shares while it cannot use the board.
//!
//! It decides nothing for others, and no share grows. But a canary that fails by what was posted last and what was seen
//! here since is **halted** here: it gets no more of this gateway's calls. When the board can be used again, what was
//! seen meanwhile is told, and the halt lasts until whoever decides has counted it.

use crate::plan::{Failure, Plan, Sample, Standing, State};
use crate::ports::Seen;
use crate::together::Then;
use std::time::Duration;

/// What was seen of a plan since the board could be used last, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    canary: Sample,
    stable: Sample,
    halt: Option<Halt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Halt {
    failure: Failure,
    /// The version that was posted when the reason was told.
    told: Option<u64>,
}

impl Apart {
    /// The board cannot be used, and this was seen since it was looked at last; `known` is in force here. Gives the
    /// reason if the canary is halted from now on.
    pub fn keep(
        &mut self,
        plan: &Plan,
        known: &State,
        (canary, stable): (&Sample, &Sample),
        now: Duration,
    ) -> Option<Failure> {
        if !known.phase.is_open() {
            return None;
        }
        self.canary.add(canary);
        self.stable.add(stable);
        if let Some(halt) = &mut self.halt {
            // What was told may have come or not.
            halt.told = None;
            return None;
        }
        let mut state = known.clone();
        state.canary.add(&self.canary);
        state.stable.add(&self.stable);
        let Standing::Failed(failure) = plan.standing(&state, now) else { return None };
        self.halt = Some(Halt { failure, told: None });
        Some(failure)
    }

    /// The board can be used: what was seen since it could not, and this.
    #[must_use]
    pub fn back(&mut self, (canary, stable): (Sample, Sample)) -> (Sample, Sample) {
        self.canary.add(&canary);
        self.stable.add(&stable);
        (std::mem::take(&mut self.canary), std::mem::take(&mut self.stable))
    }

    /// What a round made of it. Says whether a halt is over by that.
    pub fn rounded(&mut self, seen: &Seen, then: &Then) -> bool {
        let Some(halt) = &mut self.halt else { return false };
        let version = seen.posted.as_ref().map_or(0, |posted| posted.version);
        let lasts = match (then, halt.told) {
            // It decides itself.
            (Then::Write(_), _) => false,
            (Then::Tell(_), None) => {
                halt.told = Some(version);
                true
            }
            // What it told is removed by the next writing, which makes another version.
            (_, Some(told)) => told == version,
            // Nothing is left that it could tell.
            (Then::Nothing, None) => false,
        };
        if !lasts {
            self.halt = None;
        }
        !lasts
    }

    /// Another state is in force: what was seen belongs to the past.
    pub fn turn_page(&mut self) {
        *self = Self::default();
    }

    /// Why the canary gets nothing here, if it is halted.
    #[must_use]
    pub fn halted(&self) -> Option<Failure> {
        self.halt.as_ref().map(|halt| halt.failure)
    }
}
