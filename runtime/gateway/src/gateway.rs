//! What all workers share: the config in force, and the instruments.

use crate::canary::Walk;
use crate::hints::SchemaHints;
use crate::memory::Budget;
use crate::phase::{Phase, SharedPhase};
use crate::server::Total;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tidegate_telemetry::access_log::AccessLog;
use tidegate_telemetry::metrics::Metrics;

/// The data plane's shared state. One per process; share it by `Arc`.
#[derive(Debug)]
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    hints: SchemaHints,
    telemetry: Telemetry,
    memory: Budget,
    connections: Total,
    phase: SharedPhase,
}

/// Where requests are counted and logged.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Counters and histograms, scraped by the admin port.
    pub metrics: Arc<Metrics>,
    /// One line per request; `None` is off and costs nothing.
    pub access_log: Option<AccessLog>,
}

impl Gateway {
    /// A gateway that serves `snapshot`.
    #[must_use]
    pub fn new(mut snapshot: Snapshot, telemetry: Telemetry) -> Self {
        snapshot.take_over(None, &telemetry.metrics);
        let memory = Budget::new(&snapshot.config.memory, &telemetry.metrics);
        let connections = Total::new(snapshot.config.connections.max);
        let hints = SchemaHints::new(snapshot.config.upstreams.len());
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            hints,
            telemetry,
            memory,
            connections,
            phase: SharedPhase::default(),
        }
    }

    /// Puts other schemas in force, for the requests that begin from now on; those that have begun keep
    /// the snapshot that they have. `snapshot` is compiled from the same config: upstreams, and so the
    /// connections to them, are told apart by their place in it.
    ///
    /// # Errors
    /// The snapshot itself, if its config is another one.
    pub fn replace(&self, mut snapshot: Snapshot) -> Result<(), Box<Snapshot>> {
        let current = self.snapshot.load();
        if !Arc::ptr_eq(&current.config, &snapshot.config) {
            return Err(Box::new(snapshot));
        }
        snapshot.take_over(Some(&current), &self.telemetry.metrics);
        self.snapshot.store(Arc::new(snapshot));
        Ok(())
    }

    /// The plans that canaries follow now. Each has its own state, commands and [`Report`](crate::canary::Report).
    #[must_use]
    pub fn canaries(&self) -> Vec<Arc<Walk>> {
        self.snapshot.load().canaries()
    }

    /// Lets each plan look at what its sides did, and decide. To be called about once a second as long as the
    /// gateway runs.
    pub fn walk_canaries(&self) {
        for walk in self.canaries() {
            walk.look();
        }
    }

    /// What requests say of schemas that are missing or out of date.
    #[must_use]
    pub fn schema_hints(&self) -> &SchemaHints {
        &self.hints
    }

    /// The config in force now. Take it once per request and keep it to the end.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The memory that is held for clients, and its limits.
    #[must_use]
    pub fn memory(&self) -> &Budget {
        &self.memory
    }

    /// The connections of all listeners.
    pub(crate) fn connections(&self) -> &Total {
        &self.connections
    }

    /// How far the process is with serving and leaving.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Goes forward to `phase`; there is no way back.
    ///
    /// Nobody is woken by it: whoever waits sees it when it looks next. [`crate::server::Server`]
    /// sets all but [`Phase::Leaving`] itself.
    pub fn advance(&self, phase: Phase) {
        self.phase.advance(phase);
    }

    /// The instruments.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }
}
