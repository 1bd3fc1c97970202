//! The retries of calls to one upstream: their budget, and what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::retries::Figures;
use tidegate_traffic::Share;
use tidegate_traffic::budget::Budget;

/// How a call ended that failed once and might be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A later try was answered.
    Success,
    /// A later try failed in a way that is not tried again.
    Failed,
    /// All tries failed.
    Exhausted,
    /// The budget did not allow another one.
    Budget,
    /// The next try could not have ended by the deadline.
    Deadline,
    /// The service asked not to be called again.
    Pushback,
    /// A breaker or a limit did not let the next try pass.
    Refused,
}

/// The retries of calls to one upstream: of all workers, and of all configs that have it.
#[derive(Debug)]
pub(crate) struct Retries {
    upstream: String,
    budget: Budget,
    /// From when the budget counts time.
    origin: Instant,
    made: AtomicU64,
    /// In the order of [`Ended::ALL`].
    ended: [AtomicU64; Ended::ALL.len()],
}

// === impl Ended ===

impl Ended {
    const ALL: [Self; 7] =
        [Self::Success, Self::Failed, Self::Exhausted, Self::Budget, Self::Deadline, Self::Pushback, Self::Refused];

    const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Exhausted => "exhausted",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::Pushback => "pushback",
            Self::Refused => "refused",
        }
    }
}

// === impl Retries ===

impl Retries {
    pub(crate) fn new(upstream: &str, share: Share) -> Arc<Self> {
        Arc::new(Self {
            upstream: upstream.into(),
            budget: Budget::new(share),
            origin: clock::now(),
            made: AtomicU64::new(0),
            ended: Default::default(),
        })
    }

    /// Takes the place of those of before, if they are of the same upstream; those go on with another share.
    pub(crate) fn inherit(this: &mut Arc<Self>, before: &[Arc<Self>]) {
        if let Some(known) = before.iter().find(|known| known.upstream == this.upstream) {
            known.budget.set(this.budget.share());
            *this = Arc::clone(known);
        }
    }

    /// A call is made for the first time.
    pub(crate) fn first(&self) {
        self.budget.deposit(self.now());
    }

    /// Whether a call may be made again; then that is counted.
    pub(crate) fn again(&self) -> bool {
        let may = self.budget.withdraw(self.now());
        if may {
            self.made.fetch_add(1, Relaxed);
        }
        may
    }

    /// A call ended that failed once.
    pub(crate) fn ended(&self, how: Ended) {
        self.ended[how as usize].fetch_add(1, Relaxed);
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }
}

impl tidegate_telemetry::metrics::retries::Retries for Retries {
    fn upstream(&self) -> &str {
        &self.upstream
    }

    fn figures(&self) -> Figures {
        let counts = self.ended.iter().map(|count| count.load(Relaxed));
        Figures { made: self.made.load(Relaxed), ended: Ended::ALL.iter().map(|how| how.word()).zip(counts).collect() }
    }
}
