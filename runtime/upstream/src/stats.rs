//! What a pool counts: plain atomics, read by whoever shows them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tidegate_telemetry::metrics::upstreams::{Figures, Source};

use crate::{CallError, Config, error::Kind};

/// The figures of one [`Upstream`](crate::Upstream). Each worker has its own, so that counting does
/// not bounce cache lines between them; telemetry shows their sum.
#[derive(Debug)]
pub struct Stats {
    name: Box<str>,
    connections_limit: AtomicU64,
    waiting_limit: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    pub(crate) connections_opened: AtomicU64,
    pub(crate) connect_failures: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) resent: AtomicU64,
    pub(crate) goaways: AtomicU64,
    failures: [AtomicU64; Kind::REASONS.len()],
}

impl Stats {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        Arc::new(Self {
            name: config.name.as_str().into(),
            connections_limit: AtomicU64::new(0),
            waiting_limit: AtomicU64::new(0),
            connections_open: AtomicU64::new(0),
            connections_opened: AtomicU64::new(0),
            connect_failures: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            resent: AtomicU64::new(0),
            goaways: AtomicU64::new(0),
            failures: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// There are so many endpoints now.
    pub(crate) fn set_endpoints(&self, config: &Config, endpoints: usize) {
        let limit = |each: usize| (endpoints as u64).saturating_mul(each as u64);
        self.connections_limit.store(limit(config.connections_max), Relaxed);
        self.waiting_limit.store(limit(config.waiting_max), Relaxed);
    }

    pub(crate) fn failed(&self, error: &CallError) {
        self.failures[error.kind().index()].fetch_add(1, Relaxed);
    }
}

impl Source for Stats {
    fn name(&self) -> &str {
        &self.name
    }

    fn figures(&self) -> Figures {
        let failures = self.failures.iter().map(|count| count.load(Relaxed));
        Figures {
            connections_open: self.connections_open.load(Relaxed),
            connections_limit: self.connections_limit.load(Relaxed),
            connections_opened: self.connections_opened.load(Relaxed),
            connect_failures: self.connect_failures.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            waiting_limit: self.waiting_limit.load(Relaxed),
            requests: self.requests.load(Relaxed),
            resent: self.resent.load(Relaxed),
            goaways: self.goaways.load(Relaxed),
            failures: Kind::REASONS.into_iter().zip(failures).collect(),
        }
    }
}
