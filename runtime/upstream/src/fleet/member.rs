//! One endpoint, as every call reads and writes it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tidegate_traffic::{
    balance::{Ewma, Load, Policy},
    outlier::Tally,
};

use crate::{ConnectError, Endpoint};

/// What all workers know of an endpoint, and change for every call. It stays as long as anybody has a call there.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) address: Endpoint,
    /// The address as errors and logs show it.
    pub(crate) name: Arc<str>,
    /// Requests that hold a stream or wait for one: what balancing looks at.
    pub(crate) load: AtomicU32,
    /// An [`Ewma`].
    latency: AtomicU64,
    pub(crate) tally: Tally,
    /// When a connection broke last whose loss was counted, in nanoseconds.
    lost_at: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) ejections: AtomicU64,
    /// Why the last attempt to connect failed, of any worker; `None` after one that did not.
    pub(crate) unreachable: Mutex<Option<Arc<ConnectError>>>,
}

impl Member {
    pub(crate) fn new(address: &Endpoint) -> Arc<Self> {
        Arc::new(Self {
            address: address.clone(),
            name: address.to_string().into(),
            load: AtomicU32::new(0),
            latency: AtomicU64::new(Ewma::default().to_bits()),
            tally: Tally::default(),
            lost_at: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            unreachable: Mutex::default(),
        })
    }

    /// What choosing looks at.
    pub(crate) fn load(&self, policy: &Policy, now: Duration) -> Load {
        let in_flight = self.load.load(Relaxed);
        let cost = if *policy == Policy::PeakEwma { self.ewma().cost(in_flight, now) } else { 0.0 };
        Load { in_flight, cost }
    }

    /// It answered after `took`. Of two threads that say so at once one may not be heard: it is an average.
    pub(crate) fn answered(&self, took: Duration, now: Duration) {
        self.latency.store(self.ewma().observe(took, now).to_bits(), Relaxed);
    }

    pub(crate) fn ewma(&self) -> Ewma {
        Ewma::from_bits(self.latency.load(Relaxed))
    }

    /// The connection of a call broke that began at `begun`. Says whether that counts: all calls of a process that dies
    /// break at once, which is one failure and not as many as there were calls.
    pub(crate) fn counts_as_lost(&self, begun: Duration, now: Duration) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let last = self.lost_at.load(Relaxed);
        nanos(begun) >= last && self.lost_at.compare_exchange(last, nanos(now), Relaxed, Relaxed).is_ok()
    }
}
