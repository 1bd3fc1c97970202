//! What all workers share: the config in force, and the instruments.

use crate::breakers::Guard;
use crate::canary::Walk;
use crate::gates::Gate;
use crate::memory::Budget;
use crate::phase::{Phase, SharedPhase};
use crate::server::Total;
use crate::sinks::{InUse, Sinks};
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::sync::Arc;
use tidegate_telemetry::access_log::AccessLog;
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::tracer::Tracer;
use tidegate_upstream::Fleet;
use tokio::sync::watch;

/// The data plane's shared state. One per process; share it by `Arc`.
#[derive(Debug)]
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    /// Whoever swaps holds it, so that no two number their generation the same.
    swapping: Mutex<()>,
    /// Told of every config that comes into force; its generation.
    changes: watch::Sender<u64>,
    instruments: Instruments,
    memory: Budget,
    connections: Total,
    phase: SharedPhase,
}

/// What outlives every config.
#[derive(Clone, Debug)]
pub struct Instruments {
    /// Counters and histograms, scraped by the admin port.
    pub metrics: Arc<Metrics>,
}

/// Where requests are counted and logged, at first.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Counters and histograms, scraped by the admin port.
    pub metrics: Arc<Metrics>,
    /// One line per request; `None` is off and costs nothing.
    pub access_log: Option<AccessLog>,
    /// Which requests are traced, and where their spans go; without one the gateway takes no part in
    /// traces, and passes on what it is sent.
    pub tracer: Option<Tracer>,
}

impl Gateway {
    /// A gateway that serves `snapshot`.
    #[must_use]
    pub fn new(snapshot: Snapshot, telemetry: Telemetry) -> Self {
        let Telemetry { metrics, access_log, tracer } = telemetry;
        // Nobody waits to close them.
        let access_log = access_log.map(|log| InUse::new(log).0);
        let tracer = tracer.map(|tracer| InUse::new(tracer).0);
        Self::with(snapshot, metrics, Sinks { access_log, tracer, ..Sinks::default() })
    }

    /// A gateway that serves `snapshot`, and tells `sinks` of it.
    #[must_use]
    pub fn with(mut snapshot: Snapshot, metrics: Arc<Metrics>, sinks: Sinks) -> Self {
        snapshot.sinks = sinks;
        snapshot.take_over(None, &metrics);
        let memory = Budget::new(&snapshot.config.memory, &metrics);
        let connections = Total::new(snapshot.config.connections.max);
        let changes = watch::Sender::new(snapshot.generation);
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            swapping: Mutex::new(()),
            changes,
            instruments: Instruments { metrics },
            memory,
            connections,
            phase: SharedPhase::default(),
        }
    }

    /// Puts other schemas in force, for the requests that begin from now on; those that have begun keep
    /// the snapshot that they have. `snapshot` is compiled from the config that is in force; another
    /// config comes by [`apply`](Self::apply).
    ///
    /// # Errors
    /// The snapshot itself, if its config is another one: a new config has overtaken it.
    pub fn replace(&self, mut snapshot: Snapshot) -> Result<u64, Box<Snapshot>> {
        let _swapping = self.swapping.lock();
        let current = self.snapshot.load();
        if !Arc::ptr_eq(&current.config, &snapshot.config) {
            return Err(Box::new(snapshot));
        }
        snapshot.generation = current.generation + 1;
        snapshot.hints = Arc::clone(&current.hints);
        snapshot.sinks = current.sinks.clone();
        let generation = snapshot.generation;
        snapshot.take_over(Some(&current), &self.instruments.metrics);
        self.snapshot.store(Arc::new(snapshot));
        Ok(generation)
    }

    /// The plans that canaries follow now. Each has its own state, commands and [`Report`](crate::canary::Report).
    #[must_use]
    pub fn canaries(&self) -> Vec<Arc<Walk>> {
        self.snapshot.load().canaries()
    }

    /// The circuit breakers of the routes in force.
    #[must_use]
    pub fn breakers(&self) -> Vec<Arc<Guard>> {
        self.snapshot.load().breakers()
    }

    /// The limits of calls in flight that are in force.
    #[must_use]
    pub fn gates(&self) -> Vec<Arc<Gate>> {
        self.snapshot.load().gates()
    }

    /// The endpoints of the upstreams in force. A fleet that is there after a change of the config was there before, if
    /// its upstream is the same.
    #[must_use]
    pub fn fleets(&self) -> Vec<Arc<Fleet>> {
        self.snapshot.load().fleets().to_vec()
    }

    /// Lets each plan look at what its sides did, and decide. To be called about once a second as long as the
    /// gateway runs.
    pub fn walk_canaries(&self) {
        for walk in self.canaries() {
            walk.look();
        }
    }

    /// Puts another config in force, for the requests that begin from now on; those that have begun keep
    /// the snapshot that they have, with its upstreams and limits. Its generation is the next one, whatever
    /// it says, and is given back.
    ///
    /// Workers keep the connections of upstreams that are the same in both, and let those of the others end
    /// with their last request. Listening sockets are the matter of [`crate::server::Ports`].
    pub fn apply(&self, snapshot: Snapshot) -> u64 {
        self.apply_with(snapshot, None)
    }

    /// The same, with other `sinks` for the requests that begin from now on; without any they stay.
    pub fn apply_with(&self, mut snapshot: Snapshot, sinks: Option<Sinks>) -> u64 {
        let _swapping = self.swapping.lock();
        self.memory.set(&snapshot.config.memory);
        let current = self.snapshot.load();
        let generation = current.generation + 1;
        snapshot.generation = generation;
        snapshot.sinks = sinks.unwrap_or_else(|| current.sinks.clone());
        snapshot.take_over(Some(&current), &self.instruments.metrics);
        self.snapshot.store(Arc::new(snapshot));
        self.changes.send_replace(generation);
        generation
    }

    /// Tells of every config that [`apply`](Self::apply) puts in force, by its generation.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
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
    pub fn telemetry(&self) -> &Instruments {
        &self.instruments
    }
}
