//! What limits of calls in flight do.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{family, living::Living};

/// A limit of calls in flight that can say what it does. Implemented by whoever asks it.
pub trait Limit: fmt::Debug + Send + Sync + 'static {
    /// `route` or `upstream`, and its name. No two that live long have the same.
    fn labels(&self) -> (&'static str, &str);

    /// The figures of this moment.
    fn figures(&self) -> Figures;
}

/// What a limit of calls in flight does. Counts only grow while the process lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls in flight.
    pub in_flight: u64,
    /// Calls that may be in flight.
    pub limit: u64,
    /// Calls that wait.
    pub queued: u64,
    /// Calls that may wait.
    pub queue_limit: u64,
    /// Calls that were refused: why, of which class, and how many.
    pub refused: Vec<(&'static str, &'static str, u64)>,
}

/// The limits of the process.
#[derive(Debug, Default)]
pub(super) struct Limits(Living<dyn Limit>);

impl Limits {
    pub(super) fn register<L: Limit>(&self, limit: &Arc<L>) {
        let new: Weak<L> = Arc::downgrade(limit);
        self.0.replace(new, |known| known.labels() == limit.labels());
    }
}

impl Collector for Limits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let limits = self.0.all();
        let all: Vec<_> = limits.iter().map(|limit| (limit.labels(), limit.figures())).collect();
        let mut gauge = |name: &'static str, help: &'static str, of: fn(&Figures) -> u64| {
            let values = all
                .iter()
                .map(|((of_what, named), figures)| ([("of", *of_what), ("name", *named)], family::level(of(figures))));
            family::gauges(encoder, (name, help), values)
        };
        gauge("concurrency_in_flight", "Calls in flight under a limit.", |figures| figures.in_flight)?;
        gauge("concurrency_limit", "Calls that may be in flight at once.", |figures| figures.limit)?;
        gauge("concurrency_queued", "Calls that wait for a place.", |figures| figures.queued)?;
        gauge("concurrency_queue_limit", "Calls that may wait for a place.", |figures| figures.queue_limit)?;
        let refused = all.iter().flat_map(|((of_what, named), figures)| {
            let labels = |reason, class| [("of", *of_what), ("name", *named), ("reason", reason), ("class", class)];
            figures.refused.iter().map(move |(reason, class, count)| (labels(*reason, *class), *count))
        });
        family::counters(encoder, ("concurrency_refused", "Calls that were refused by a limit."), refused)
    }
}
