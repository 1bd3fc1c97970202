//! What a limit answers while its store does not.

use std::time::Duration;

use crate::ask::{Ask, Mode, Receipt, Retry};
use crate::front::{By, CLOCK, Outcome, grant, refusal};
use crate::gcra::Gcra;

/// What a limit answers while its store does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Everything passes.
    Open,
    /// Nothing passes.
    Closed,
    /// A bucket of this node decides. With a share of `1 / nodes` of the limit the nodes together admit at most
    /// twice the burst; with a share of a *reserve* that the store's own quota leaves out, never more than the limit.
    Local(Gcra),
}

impl Failure {
    /// Splits a bucket between its store and `nodes` nodes: the store keeps what is not reserved; each node gets its
    /// share of `reserve` parts in a hundred for when the store does not answer (and one part in 32 less, for its
    /// clock may be fast). Together never more than the whole.
    ///
    /// `local` is the bucket in [`Scale::Local`](crate::Scale::Local).
    #[must_use]
    pub fn reserve(shared: Gcra, local: Gcra, reserve: u64, nodes: u64) -> (Gcra, Self) {
        let reserve = reserve.min(100);
        let kept = shared.share(100 - reserve, 100);
        (kept, Self::Local(local.share(reserve * u64::from(CLOCK), nodes.max(1).saturating_mul(3200))))
    }

    /// The answer where nothing can be counted either: there is no memory for the key, or nobody who knows the store.
    #[must_use]
    pub fn alone(&self, ask: Ask) -> Outcome {
        let decision = match self {
            Self::Open => grant(ask.cost, 0, Duration::ZERO),
            Self::Closed | Self::Local(_) => refusal(ask.cost, Retry::OnRelease, Duration::ZERO),
        };
        Outcome { decision, by: By::Failure }
    }

    /// The answer, and the state of the node's own bucket.
    pub(crate) fn decide(&self, tat: u64, now: Duration, ask: Ask) -> (Outcome, u64) {
        let Self::Local(bucket) = self else { return (self.alone(ask), tat) };
        let mode = if ask.mode == Mode::Check { Mode::Check } else { Mode::Spend };
        let (mut decision, next) = bucket.decide(tat, bucket.scale().elapsed(now), Ask { mode, ..ask });
        decision.receipt = Receipt::default();
        (Outcome { decision, by: By::Failure }, next.unwrap_or(tat))
    }
}
