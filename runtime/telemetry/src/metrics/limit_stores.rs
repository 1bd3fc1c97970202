//! What stores of rate limits do that gateways share.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::{
    family::{self, level},
    living::Living,
};

/// A store of limits that can say what it does. Implemented by whoever asks it.
pub trait LimitStore: fmt::Debug + Send + Sync + 'static {
    /// Its name. No two that live long have the same.
    fn name(&self) -> &str;

    /// The figures of this moment.
    fn figures(&self) -> Figures;
}

/// What a store does. Counts only grow while the process lives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// It is left alone because it did not answer.
    pub down: bool,
    /// Requests that wait for it now.
    pub waiting: u64,
    /// Questions of requests.
    pub asked: u64,
    /// Messages to it.
    pub batches: u64,
    /// Operations in them.
    pub operations: u64,
    /// Units that it lent in advance.
    pub lent: u64,
    /// Units of leases that were used.
    pub spent: u64,
    /// Units of leases that died unused.
    pub lost: u64,
    /// Refusals that were repeated without a message.
    pub repeated: u64,
    /// Questions that a failure policy answered.
    pub fallen_back: u64,
    /// Messages without an answer, by whether they may have been counted.
    pub failed: [(&'static str, u64); 2],
    /// Connections that were made.
    pub connections: u64,
    /// Times that its data was lost, or was not there yet.
    pub losses: u64,
    /// Steps of its clock, by their direction.
    pub clock_steps: [(&'static str, u64); 2],
    /// Messages by the seconds until their answers, each up to its bound; the last bound is infinite.
    pub latency: Vec<(f64, u64)>,
    /// The sum of those times, in seconds.
    pub latency_sum: f64,
}

/// The stores of the process.
#[derive(Debug, Default)]
pub(super) struct LimitStores(Living<dyn LimitStore>);

impl LimitStores {
    pub(super) fn register<S: LimitStore>(&self, store: &Arc<S>) {
        let new: Weak<S> = Arc::downgrade(store);
        self.0.replace(new, |known| known.name() == store.name());
    }
}

/// A counter: its name, its help text, its number.
type Count = (&'static str, &'static str, fn(&Figures) -> u64);

const COUNTS: [Count; 10] = [
    ("limit_store_asked", "Questions of requests to a store of limits.", |figures| figures.asked),
    ("limit_store_batches", "Messages to a store of limits.", |figures| figures.batches),
    ("limit_store_operations", "Keys that a store of limits was asked about, after combining.", |figures| {
        figures.operations
    }),
    ("limit_store_lent", "Units of limits that a store lent in advance.", |figures| figures.lent),
    ("limit_store_lease_spent", "Units of leases that requests used.", |figures| figures.spent),
    ("limit_store_lease_lost", "Units of leases that nobody used in time.", |figures| figures.lost),
    ("limit_store_repeated", "Refusals that were repeated without asking the store.", |figures| figures.repeated),
    ("limit_store_fallen_back", "Questions that the failure policy of their limit answered.", |figures| {
        figures.fallen_back
    }),
    ("limit_store_connections", "Connections that were made to a store of limits.", |figures| figures.connections),
    ("limit_store_losses", "Times that a store had lost its data, or was new.", |figures| figures.losses),
];

impl Collector for LimitStores {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let stores = self.0.all();
        let all: Vec<_> = stores.iter().map(|store| (store.name(), store.figures())).collect();
        for (name, help, count) in COUNTS {
            let values = all.iter().map(|(store, figures)| ([("store", *store)], count(figures)));
            family::counters(encoder, (name, help), values)?;
        }
        let failed = all.iter().flat_map(|(store, figures)| {
            figures.failed.into_iter().map(|(kind, count)| ([("store", *store), ("kind", kind)], count))
        });
        family::counters(encoder, ("limit_store_failed", "Messages that got no answer."), failed)?;
        let steps = all.iter().flat_map(|(store, figures)| {
            figures
                .clock_steps
                .into_iter()
                .map(|(direction, count)| ([("store", *store), ("direction", direction)], count))
        });
        family::counters(encoder, ("limit_store_clock_steps", "Steps of the clock of a store's server."), steps)?;
        let down = all.iter().map(|(store, figures)| ([("store", *store)], i64::from(figures.down)));
        family::gauges(
            encoder,
            ("limit_store_down", "1 while a store is left alone because it does not answer."),
            down,
        )?;
        let waiting = all.iter().map(|(store, figures)| ([("store", *store)], level(figures.waiting)));
        family::gauges(encoder, ("limit_store_waiting", "Requests that wait for a store."), waiting)?;
        let name = "limit_store_latency_seconds";
        let mut family =
            encoder.encode_descriptor(name, "Time until a store's answer.", None, MetricType::Histogram)?;
        for (store, figures) in &all {
            let count = figures.latency.iter().map(|(_, count)| count).sum();
            let labels = [("store", *store)];
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(figures.latency_sum, count, &figures.latency, None)?;
        }
        Ok(())
    }
}
