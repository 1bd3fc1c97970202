//! What retries do.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{family, living::Living};

/// The retries of calls to one upstream.
pub trait Retries: fmt::Debug + Send + Sync + 'static {
    /// The upstream. No two that live long have the same.
    fn upstream(&self) -> &str;

    /// The figures of this moment.
    fn figures(&self) -> Figures;
}

/// What retries do. Counts only grow while the process lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tries behind the first one.
    pub made: u64,
    /// How calls ended that failed once, by a word.
    pub ended: Vec<(&'static str, u64)>,
}

/// The retries of the process.
#[derive(Debug, Default)]
pub(super) struct All(Living<dyn Retries>);

impl All {
    pub(super) fn register<R: Retries>(&self, retries: &Arc<R>) {
        let new: Weak<R> = Arc::downgrade(retries);
        self.0.replace(new, |known| known.upstream() == retries.upstream());
    }
}

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let all = self.0.all();
        let all: Vec<_> = all.iter().map(|retries| (retries.upstream(), retries.figures())).collect();
        let made = all.iter().map(|(upstream, figures)| ([("upstream", *upstream)], figures.made));
        family::counters(encoder, ("retries", "Tries of calls behind the first one."), made)?;
        let ended = all.iter().flat_map(|(upstream, figures)| {
            let labels = |result| [("upstream", *upstream), ("result", result)];
            figures.ended.iter().map(move |(result, count)| (labels(*result), *count))
        });
        family::counters(
            encoder,
            ("retried_calls", "Calls that failed once and might be tried again, by result."),
            ended,
        )
    }
}
