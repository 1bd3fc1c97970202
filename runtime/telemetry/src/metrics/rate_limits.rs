//! What rate limits do.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{
    family::{self, level},
    living::Living,
};

/// A rate limit that can say what it does. Implemented by whoever asks it.
pub trait RateLimit: fmt::Debug + Send + Sync + 'static {
    /// Its name. No two that live long have the same.
    fn name(&self) -> &str;

    /// The figures of this moment.
    fn figures(&self) -> Figures;
}

/// What a limit does. Counts only grow while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests that it let pass, together with all other limits of theirs.
    pub admitted: u64,
    /// Requests that it refused.
    pub refused: u64,
    /// Requests that it would have refused if it were enforced.
    pub shadow: u64,
    /// Requests that its failure policy answered, because its store did not.
    pub unanswered: u64,
    /// Keys that have used something of their budget.
    pub keys: u64,
    /// Keys that there is room for.
    pub most_keys: u64,
    /// Decisions for which there was no room, so that keys shared a budget.
    pub crowded: u64,
}

/// The rate limits of the process.
#[derive(Debug, Default)]
pub(super) struct RateLimits(Living<dyn RateLimit>);

impl RateLimits {
    pub(super) fn register<R: RateLimit>(&self, limit: &Arc<R>) {
        let new: Weak<R> = Arc::downgrade(limit);
        self.0.replace(new, |known| known.name() == limit.name());
    }
}

impl Collector for RateLimits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let limits = self.0.all();
        let all: Vec<_> = limits.iter().map(|limit| ([("limit", limit.name())], limit.figures())).collect();
        let counts: [(_, _, fn(&Figures) -> u64); 5] = [
            ("rate_limit_admitted", "Requests that a rate limit let pass.", |figures| figures.admitted),
            ("rate_limit_refused", "Requests that a rate limit refused.", |figures| figures.refused),
            ("rate_limit_shadow", "Requests that a rate limit would have refused if it were enforced.", |figures| {
                figures.shadow
            }),
            (
                "rate_limit_unanswered",
                "Requests that the failure policy of a rate limit answered, because its store did not.",
                |figures| figures.unanswered,
            ),
            (
                "rate_limit_crowded",
                "Decisions for keys without a place of their own, which shared a budget.",
                |figures| figures.crowded,
            ),
        ];
        for (name, help, count) in counts {
            family::counters(encoder, (name, help), all.iter().map(|(labels, figures)| (*labels, count(figures))))?;
        }
        let keys = all.iter().map(|(labels, figures)| (*labels, level(figures.keys)));
        family::gauges(encoder, ("rate_limit_keys", "Keys that have used something of their budget."), keys)?;
        let most = all.iter().map(|(labels, figures)| (*labels, level(figures.most_keys)));
        family::gauges(encoder, ("rate_limit_keys_max", "Keys that a rate limit has room for."), most)
    }
}
