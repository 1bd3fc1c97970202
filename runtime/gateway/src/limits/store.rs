//! A store of limits that gateways share, as requests ask it and operators see it.

use crate::sinks::OpenStore;
use tidegate_limit::ports::{LATENCY_BOUNDS_US, Standing};
use tidegate_telemetry::metrics::limit_stores::{Figures, LimitStore};

/// A store by its name.
#[derive(Debug)]
pub struct Store {
    name: String,
    limits: OpenStore,
}

impl Store {
    pub(super) fn new(name: &str, limits: &OpenStore) -> Self {
        Self { name: name.to_owned(), limits: limits.clone() }
    }

    /// As limits name it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who asks it.
    #[must_use]
    pub fn limits(&self) -> &OpenStore {
        &self.limits
    }

    /// Whether it is this one.
    pub(super) fn is(&self, name: &str, limits: &OpenStore) -> bool {
        self.name == name && self.limits.is(limits)
    }
}

impl LimitStore for Store {
    fn name(&self) -> &str {
        &self.name
    }

    fn figures(&self) -> Figures {
        let Standing { down, waiting, keys: _, front, latency, latency_sum, servers } = self.limits.standing();
        #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
        let bounds = LATENCY_BOUNDS_US.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        Figures {
            down,
            waiting: waiting as u64,
            asked: front.asked,
            batches: front.batches,
            operations: front.items,
            lent: front.lent,
            spent: front.spent,
            lost: front.died,
            repeated: front.repeated,
            fallen_back: front.fallen_back,
            failed: [("nothing_taken", servers.unreachable), ("unsure", servers.unanswered)],
            connections: servers.connections,
            losses: servers.losses,
            clock_steps: [("forward", servers.clock_forward), ("back", servers.clock_back)],
            latency: bounds.zip(latency).collect(),
            latency_sum: latency_sum.as_secs_f64(),
        }
    }
}
