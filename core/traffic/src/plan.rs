//! A canary that widens by itself: the machine that walks a split through its steps.
//!
//! ```text
//!            hold over, enough samples,                 last step passed
//!            criteria hold
//!   Walking ───────────────────────────► Walking ─────────────────────────► Done
//!      │  ▲                              (next step)          promote ──────► Done
//! pause│  │resume
//!      ▼  │                 criteria fail                     abort
//!   Paused                Walking, Paused ──────► RolledBack  any ─────────► Aborted
//!                                                     └───────── resume ────────┘──► Walking (first step)
//! ```
//!
//! [`Plan::step`] is a function of the state, what happened and the time: whoever has the same three comes to
//! the same state. Counts begin anew with every step.

mod assess;
mod identity;
mod sketch;
mod state;
mod text;

pub use assess::{Failure, Standing};
pub use identity::key;
pub use sketch::{BUCKETS, Sketch, bucket_of};
pub use state::{Command, Decision, Event, Phase, Sample, State};
pub use text::StateError;

use crate::share::Share;
use std::time::Duration;

/// What a plan asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Share>,
    /// How long a step takes at least.
    pub hold: Duration,
    /// How many calls either side must have had before it is judged.
    pub min_samples: u64,
    /// The part of the canary's calls that may fail.
    pub max_error_rate: Share,
    /// How much higher the canary's p99 may be than the stable side's, in thousandths: 1200 is 1.2.
    pub max_p99_ratio_milli: u32,
}

/// Steps that cannot be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is none.
    #[error("a plan needs at least one step")]
    NoSteps,
    /// A step takes nobody.
    #[error("a step takes more than `0%`")]
    EmptyStep {
        /// Its index.
        step: usize,
    },
    /// A step is not larger than the one before.
    #[error("each step is larger than the one before it")]
    NotUp {
        /// Its index.
        step: usize,
    },
}

impl Plan {
    /// How long a step takes where nothing is said.
    pub const DEFAULT_HOLD: Duration = Duration::from_secs(600);
    /// The calls of either side that are enough to judge it where nothing is said: at 1 % of failures, five.
    pub const DEFAULT_MIN_SAMPLES: u64 = 500;
    /// The part that may fail where nothing is said.
    pub const DEFAULT_MAX_ERROR_RATE: Share = Share::percent(1);
    /// The ratio of the p99s where nothing is said, in thousandths.
    pub const DEFAULT_MAX_P99_RATIO_MILLI: u32 = 1200;

    /// A plan with these steps and the defaults.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(steps: Vec<Share>) -> Result<Self, PlanError> {
        if steps.is_empty() {
            return Err(PlanError::NoSteps);
        }
        if let Some(step) = steps.iter().position(|step| *step == Share::NONE) {
            return Err(PlanError::EmptyStep { step });
        }
        if let Some(before) = steps.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(PlanError::NotUp { step: before + 1 });
        }
        Ok(Self {
            steps,
            hold: Self::DEFAULT_HOLD,
            min_samples: Self::DEFAULT_MIN_SAMPLES,
            max_error_rate: Self::DEFAULT_MAX_ERROR_RATE,
            max_p99_ratio_milli: Self::DEFAULT_MAX_P99_RATIO_MILLI,
        })
    }

    /// The shares, from the first to the last.
    #[must_use]
    pub fn steps(&self) -> &[Share] {
        &self.steps
    }

    /// The share that the canary has in a state.
    #[must_use]
    pub fn share(&self, state: &State) -> Share {
        match state.phase {
            Phase::Walking | Phase::Paused => self.steps.get(state.step).copied().unwrap_or(Share::NONE),
            Phase::Done => Share::ALL.min(self.steps.last().copied().unwrap_or(Share::ALL)),
            Phase::Promoted => Share::ALL,
            Phase::RolledBack | Phase::Aborted => Share::NONE,
        }
    }

    /// The next state, and what was decided, if anything was.
    ///
    /// `now` is any clock that goes forward and that all who step this plan share.
    #[must_use]
    pub fn step(&self, mut state: State, event: Event, now: Duration) -> (State, Option<Decision>) {
        let decision = match event {
            Event::Observed { canary, stable } => {
                if state.phase.is_open() {
                    state.canary.add(&canary);
                    state.stable.add(&stable);
                }
                self.judge(&mut state, now)
            }
            Event::Command(command) => Some(self.command(&mut state, command, now)),
        };
        let changes = decision.is_some_and(|decision| decision.changes());
        state.revision = state.revision.saturating_add(changes.into());
        (state, decision)
    }

    /// The decision that leads from one state to another, as far as the states tell: for who follows. The last
    /// one if there were several; `None` if nothing was decided.
    #[must_use]
    pub fn between(&self, before: &State, after: &State) -> Option<Decision> {
        if before.revision == after.revision && before.phase == after.phase && before.step == after.step {
            return None;
        }
        let (from, at) = (self.share(before), self.share(after));
        Some(match (after.phase, before.phase) {
            (Phase::Walking, Phase::Walking) if after.step > before.step => Decision::Advanced { from, to: at },
            (Phase::Walking, Phase::Walking | Phase::Paused) if after.step == before.step => Decision::Resumed { at },
            (Phase::Walking, Phase::Paused) if after.step > before.step => Decision::Advanced { from, to: at },
            (Phase::Walking, _) => Decision::Restarted { at },
            (Phase::Paused, _) => Decision::Paused { at },
            (Phase::Done, _) => Decision::Completed { at },
            (Phase::Promoted, _) => Decision::Promoted { from },
            (Phase::RolledBack, _) => Decision::RolledBack { at: from, failure: after.failure? },
            (Phase::Aborted, _) => Decision::Aborted { at: from },
        })
    }

    fn judge(&self, state: &mut State, now: Duration) -> Option<Decision> {
        if !state.phase.is_open() {
            return None;
        }
        match self.standing(state, now) {
            Standing::Failed(failure) => {
                let at = self.share(state);
                state.phase = Phase::RolledBack;
                state.failure = Some(failure);
                Some(Decision::RolledBack { at, failure })
            }
            Standing::Passed if state.phase == Phase::Walking => {
                let from = self.share(state);
                if state.step + 1 >= self.steps.len() {
                    state.phase = Phase::Done;
                    return Some(Decision::Completed { at: from });
                }
                self.enter(state, state.step + 1, now);
                Some(Decision::Advanced { from, to: self.share(state) })
            }
            _ => None,
        }
    }

    fn command(&self, state: &mut State, command: Command, now: Duration) -> Decision {
        let share = self.share(state);
        match (command, state.phase) {
            (Command::Pause, Phase::Walking) => {
                state.phase = Phase::Paused;
                Decision::Paused { at: share }
            }
            (Command::Resume, Phase::Paused) => {
                state.phase = Phase::Walking;
                // What an operator looked at for an hour was not held for an hour.
                state.entered = now;
                Decision::Resumed { at: share }
            }
            (Command::Resume, Phase::RolledBack | Phase::Aborted) => {
                *state = State { revision: state.revision, ..State::begin(now) };
                Decision::Restarted { at: self.share(state) }
            }
            (Command::Promote, Phase::Walking | Phase::Paused | Phase::Done | Phase::RolledBack | Phase::Aborted) => {
                state.phase = Phase::Promoted;
                Decision::Promoted { from: share }
            }
            (Command::Abort, Phase::Walking | Phase::Paused | Phase::Done | Phase::Promoted) => {
                state.phase = Phase::Aborted;
                Decision::Aborted { at: share }
            }
            (command, phase) => Decision::Refused { command, phase },
        }
    }

    /// Begins a step: its time and its counts.
    fn enter(&self, state: &mut State, step: usize, now: Duration) {
        if state.stable.latencies.count() >= self.min_samples {
            state.baseline = Some(std::mem::take(&mut state.stable.latencies));
        }
        state.step = step;
        state.entered = now;
        state.canary = Sample::default();
        state.stable = Sample::default();
    }
}
