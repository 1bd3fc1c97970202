//! Where the pipeline finds what it calls.

use crate::gateway::Telemetry;
use crate::snapshot::Snapshot;
use tidegate_upstream::{Call, Upstream};

/// The upstreams of one worker, or of an embedding program.
pub trait Upstreams {
    /// How one of them is called.
    type Call: Call;

    /// The upstream at this index of the snapshot's config.
    fn get(&self, snapshot: &Snapshot, index: usize) -> &Self::Call;
}

/// Connection pools of one worker, one per upstream.
#[derive(Debug)]
pub struct Pools(Vec<Upstream>);

impl Pools {
    /// Makes a pool for every upstream; connections open with the first calls.
    #[must_use]
    pub fn new(snapshot: &Snapshot, telemetry: &Telemetry) -> Self {
        let pool = |upstream: &crate::config::Upstream| {
            let pool = Upstream::new(upstream.pool.clone());
            telemetry.metrics.register_upstream(pool.stats());
            pool
        };
        Self(snapshot.config.upstreams.iter().map(pool).collect())
    }
}

impl Upstreams for Pools {
    type Call = Upstream;

    fn get(&self, _snapshot: &Snapshot, index: usize) -> &Upstream {
        &self.0[index]
    }
}

/// One callee for every upstream, as a service in the same process.
#[derive(Clone, Debug)]
pub struct Single<C>(pub C);

impl<C: Call> Upstreams for Single<C> {
    type Call = C;

    fn get(&self, _snapshot: &Snapshot, _index: usize) -> &C {
        &self.0
    }
}
