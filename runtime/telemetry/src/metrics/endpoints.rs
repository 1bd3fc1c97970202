//! How the endpoints of upstreams are.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{
    family::{self, Name, level},
    living::Living,
};

/// Endpoints of one upstream that are shown, so that one that has thousands, or changes them all the time, does not
/// fill the exposition.
pub const SHOWN_MAX: usize = 256;

/// Something that can say how the endpoints of an upstream are.
pub trait Fleet: fmt::Debug + Send + Sync + 'static {
    /// The upstream's name in the config.
    fn name(&self) -> &str;

    /// The figures of this moment, of each endpoint.
    fn endpoints(&self) -> Vec<Figures>;
}

/// An endpoint. Counts only grow while it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Where it is.
    pub address: String,
    /// In a word.
    pub state: &'static str,
    /// Calls that have not ended.
    pub in_flight: u64,
    /// Calls.
    pub requests: u64,
    /// Calls that failed by its fault.
    pub failures: u64,
    /// Times it was left alone.
    pub ejections: u64,
    /// The average time to the first byte of a reply.
    pub latency_us: u64,
}

/// The endpoints of the process.
#[derive(Debug, Default)]
pub(super) struct Endpoints(Living<dyn Fleet>);

impl Endpoints {
    pub(super) fn register<F: Fleet>(&self, fleet: &Arc<F>) {
        let new: Weak<F> = Arc::downgrade(fleet);
        self.0.replace(new, |known| known.name() == fleet.name());
    }
}

const GAUGES: [(Name, fn(&Figures) -> u64); 2] = [
    (("endpoint_requests_in_flight", "Requests sent to the endpoint and not yet answered."), |f| f.in_flight),
    (("endpoint_latency_microseconds", "Average time to the first byte of a reply, long ones first."), |f| {
        f.latency_us
    }),
];

const COUNTERS: [(Name, fn(&Figures) -> u64); 3] = [
    (("endpoint_requests", "Requests sent to the endpoint."), |f| f.requests),
    (("endpoint_failures", "Requests that failed by the endpoint's fault."), |f| f.failures),
    (("endpoint_ejections", "How often the endpoint was left alone for its failures."), |f| f.ejections),
];

impl Collector for Endpoints {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let fleets = self.0.all();
        let all: Vec<(&str, Figures)> = fleets
            .iter()
            .flat_map(|fleet| fleet.endpoints().into_iter().take(SHOWN_MAX).map(|figures| (fleet.name(), figures)))
            .collect();
        let labels = |of: &(&str, Figures)| [("upstream", of.0.to_owned()), ("endpoint", of.1.address.clone())];
        let states = all.iter().map(|(upstream, figures)| {
            ([("upstream", *upstream), ("endpoint", &figures.address), ("state", figures.state)], 1)
        });
        family::gauges(encoder, ("endpoint_state", "1 for the state that an endpoint is in."), states)?;
        for (name, figure) in GAUGES {
            family::gauges(encoder, name, all.iter().map(|of| (labels(of), level(figure(&of.1)))))?;
        }
        for (name, figure) in COUNTERS {
            family::counters(encoder, name, all.iter().map(|of| (labels(of), figure(&of.1))))?;
        }
        Ok(())
    }
}
