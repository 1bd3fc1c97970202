//! What the connection pools report, by upstream.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{
    family::{self, Name, level},
    living::Living,
};

/// Something that can say how an upstream is doing. Implemented by whoever owns the pool.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// The upstream's name in the config.
    fn name(&self) -> &str;

    /// The figures of this moment.
    fn figures(&self) -> Figures;
}

/// The state of an upstream. Levels come with their limits; counts only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that may be open.
    pub connections_limit: u64,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// Attempts to connect that failed.
    pub connect_failures: u64,
    /// Requests that were sent and not yet answered to the end.
    pub in_flight: u64,
    /// Requests that wait for a free stream.
    pub waiting: u64,
    /// Requests that may wait for a free stream.
    pub waiting_limit: u64,
    /// Requests that were sent; one that was sent again counts once.
    pub requests: u64,
    /// Requests that were sent again because they surely never reached the application.
    pub resent: u64,
    /// GOAWAY frames that ended the use of a connection.
    pub goaways: u64,
    /// Requests that failed, by the short name of the reason.
    pub failures: Vec<(&'static str, u64)>,
}

/// The upstreams of the process.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    sources: Living<dyn Source>,
}

// === impl Figures ===

impl Figures {
    fn add(&mut self, other: Self) {
        self.connections_open += other.connections_open;
        self.connections_limit += other.connections_limit;
        self.connections_opened += other.connections_opened;
        self.connect_failures += other.connect_failures;
        self.in_flight += other.in_flight;
        self.waiting += other.waiting;
        self.waiting_limit += other.waiting_limit;
        self.requests += other.requests;
        self.resent += other.resent;
        self.goaways += other.goaways;
        for (reason, count) in other.failures {
            match self.failures.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, sum)) => *sum += count,
                None => self.failures.push((reason, count)),
            }
        }
    }
}

// === impl Upstreams ===

impl Upstreams {
    pub(super) fn register<S: Source>(&self, source: &Arc<S>) {
        let new: Weak<S> = Arc::downgrade(source);
        // Each worker has its own.
        self.sources.replace(new, |_| false);
    }

    /// The figures of each upstream, in the order of first registration.
    pub(super) fn sums(&self) -> Vec<(String, Figures)> {
        let mut sums: Vec<(String, Figures)> = Vec::new();
        for source in self.sources.all() {
            match sums.iter_mut().find(|(name, _)| name == source.name()) {
                Some((_, sum)) => sum.add(source.figures()),
                None => sums.push((source.name().to_owned(), source.figures())),
            }
        }
        sums
    }
}

const GAUGES: [(Name, fn(&Figures) -> u64); 5] = [
    (("upstream_connections", "Open connections to the upstream."), |f| f.connections_open),
    (("upstream_connections_limit", "Connections that may be open."), |f| f.connections_limit),
    (("upstream_requests_in_flight", "Requests sent and not yet answered."), |f| f.in_flight),
    (("upstream_requests_waiting", "Requests that wait for a free stream."), |f| f.waiting),
    (("upstream_requests_waiting_limit", "Requests that may wait."), |f| f.waiting_limit),
];

const COUNTERS: [(Name, fn(&Figures) -> u64); 5] = [
    (("upstream_connections_opened", "Connections that were opened."), |f| f.connections_opened),
    (("upstream_connect_failures", "Attempts to connect that failed."), |f| f.connect_failures),
    (("upstream_requests", "Requests sent."), |f| f.requests),
    (("upstream_requests_resent", "Requests sent again that never reached the application."), |f| f.resent),
    (("upstream_goaways", "GOAWAY frames that ended the use of a connection."), |f| f.goaways),
];

impl Collector for Upstreams {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sums = self.sums();
        let encoder = &mut encoder;
        for (name, figure) in GAUGES {
            let values = sums.iter().map(|(of, sum)| ([("upstream", of)], level(figure(sum))));
            family::gauges(encoder, name, values)?;
        }
        for (name, figure) in COUNTERS {
            let values = sums.iter().map(|(of, sum)| ([("upstream", of)], figure(sum)));
            family::counters(encoder, name, values)?;
        }
        family::counters(
            encoder,
            ("upstream_failures", "Requests that failed, by reason."),
            sums.iter().flat_map(|(of, sum)| {
                sum.failures
                    .iter()
                    .map(move |(reason, count)| ([("upstream", of.as_str()), ("reason", reason)], *count))
            }),
        )
    }
}
