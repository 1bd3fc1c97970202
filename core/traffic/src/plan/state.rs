//! Where a plan is, and what moves it.

use super::assess::Failure;
use super::sketch::Sketch;
use crate::share::Share;
use std::fmt;
use std::time::Duration;

/// Where a plan is. Plain: it can be written down and read by another gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether it goes on by itself.
    pub phase: Phase,
    /// The index of the step.
    pub step: usize,
    /// When it came to the step.
    pub entered: Duration,
    /// What the canary's side did in this step.
    pub canary: Sample,
    /// What the stable side did in this step.
    pub stable: Sample,
    /// The latencies of the stable side in the last step in which it had enough of them: at 100 % it has none.
    pub baseline: Option<Sketch>,
    /// Why it was rolled back.
    pub failure: Option<Failure>,
    /// Counts the decisions that changed it.
    pub revision: u64,
}

/// Whether a plan goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It does.
    Walking,
    /// It stays at its step until it is resumed; criteria that fail roll it back all the same.
    Paused,
    /// It passed its last step, and stays there.
    Done,
    /// Somebody gave it everything.
    Promoted,
    /// Its criteria failed: it has nothing.
    RolledBack,
    /// Somebody ended it: it has nothing.
    Aborted,
}

/// What one side did in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Calls that ended.
    pub calls: u64,
    /// Those of them that failed: what HTTP says with 5xx.
    pub errors: u64,
    /// How long they took.
    pub latencies: Sketch,
}

/// What moves a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed, and in it the sides did this.
    Observed {
        /// The canary's side.
        canary: Sample,
        /// The stable side.
        stable: Sample,
    },
    /// Somebody wants something.
    Command(Command),
}

/// What somebody may want of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stay at this step.
    Pause,
    /// Go on; from the first step if it was rolled back or aborted.
    Resume,
    /// Everything to the canary, at once.
    Promote,
    /// Nothing to the canary, at once.
    Abort,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To the next step.
    Advanced {
        /// The share before.
        from: Share,
        /// The share now.
        to: Share,
    },
    /// The last step was passed.
    Completed {
        /// The share that stays.
        at: Share,
    },
    /// The criteria failed.
    RolledBack {
        /// The share that it had.
        at: Share,
        /// Why.
        failure: Failure,
    },
    /// By command.
    Paused {
        /// The share that it keeps.
        at: Share,
    },
    /// By command.
    Resumed {
        /// The share that it has.
        at: Share,
    },
    /// By command, after its end.
    Restarted {
        /// The share that it has.
        at: Share,
    },
    /// By command.
    Promoted {
        /// The share that it had.
        from: Share,
    },
    /// By command.
    Aborted {
        /// The share that it had.
        at: Share,
    },
    /// A command that means nothing in this phase: nothing changed.
    Refused {
        /// What was wanted.
        command: Command,
        /// Where the plan is.
        phase: Phase,
    },
}

// === impl State ===

impl State {
    /// A plan that begins now, at its first step.
    #[must_use]
    pub fn begin(now: Duration) -> Self {
        Self {
            phase: Phase::Walking,
            step: 0,
            entered: now,
            canary: Sample::default(),
            stable: Sample::default(),
            baseline: None,
            failure: None,
            revision: 0,
        }
    }
}

// === impl Sample ===

impl Sample {
    /// Counts one call.
    pub fn observe(&mut self, failed: bool, latency: Duration) {
        self.calls += 1;
        self.errors += u64::from(failed);
        self.latencies.observe(latency);
    }

    /// Takes in what another sample counted.
    pub fn add(&mut self, other: &Self) {
        // What comes from a store may be any number.
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.latencies.add(&other.latencies);
    }
}

// === impl Decision ===

impl Decision {
    /// Whether the state is another one after it.
    #[must_use]
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// The word under which it is counted.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Advanced { .. } => "advanced",
            Self::Completed { .. } => "completed",
            Self::RolledBack { .. } => "rolled_back",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Restarted { .. } => "restarted",
            Self::Promoted { .. } => "promoted",
            Self::Aborted { .. } => "aborted",
            Self::Refused { .. } => "refused",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advanced { from, to } => write!(f, "advanced from {from} to {to}"),
            Self::Completed { at } => write!(f, "completed at {at}"),
            Self::RolledBack { at, failure } => write!(f, "rolled back from {at}: {failure}"),
            Self::Paused { at } => write!(f, "paused at {at}"),
            Self::Resumed { at } => write!(f, "resumed at {at}"),
            Self::Restarted { at } => write!(f, "begun anew at {at}"),
            Self::Promoted { from } => write!(f, "promoted from {from} to 100%"),
            Self::Aborted { at } => write!(f, "aborted at {at}"),
            Self::Refused { command, phase } => write!(f, "cannot {command}: the plan is {phase}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Promote => "promote",
            Self::Abort => "abort",
        })
    }
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Walking, Self::Paused, Self::Done, Self::Promoted, Self::RolledBack, Self::Aborted];

    /// Whether calls are counted, and judged.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Walking | Self::Paused)
    }

    /// Its name, as it is shown and written down.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Walking => "walking",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word().replace('_', " "))
    }
}
