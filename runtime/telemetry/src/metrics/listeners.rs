//! Connections from clients, by listener.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family;

/// The listeners of the process.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    known: Mutex<Vec<Weak<Listener>>>,
}

/// The connections of one listener, counted by all workers.
#[derive(Debug)]
pub struct Listener {
    name: Box<str>,
    open: AtomicI64,
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// Counts a connection as open until dropped.
#[derive(Debug)]
pub struct Open(Arc<Listener>);

// === impl Listeners ===

impl Listeners {
    pub(super) fn listener(&self, name: &str) -> Arc<Listener> {
        let mut known = self.known.lock();
        known.retain(|listener| listener.strong_count() > 0);
        let found = known.iter().filter_map(Weak::upgrade).find(|known| *known.name == *name);
        found.unwrap_or_else(|| {
            let listener = Arc::new(Listener {
                name: name.into(),
                open: AtomicI64::new(0),
                accepted: AtomicU64::new(0),
                refused: AtomicU64::new(0),
            });
            known.push(Arc::downgrade(&listener));
            listener
        })
    }
}

impl Collector for Listeners {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let listeners: Vec<_> = self.known.lock().iter().filter_map(Weak::upgrade).collect();
        let encoder = &mut encoder;
        family::gauges(
            encoder,
            ("connections", "Open connections from clients."),
            listeners.iter().map(|one| (one.labels(), one.open.load(Ordering::Relaxed))),
        )?;
        family::counters(
            encoder,
            ("connections_accepted", "Connections accepted from clients."),
            listeners.iter().map(|one| (one.labels(), one.accepted.load(Ordering::Relaxed))),
        )?;
        family::counters(
            encoder,
            ("connections_refused", "Connections closed at once because of a limit."),
            listeners.iter().map(|one| (one.labels(), one.refused.load(Ordering::Relaxed))),
        )
    }
}

// === impl Listener ===

impl Listener {
    /// Counts a connection that was accepted, and open until the result is dropped.
    #[must_use]
    pub fn accepted(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// Counts a connection that was closed at once because of a limit.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        u64::try_from(self.open.load(Ordering::Relaxed)).unwrap_or(0)
    }

    fn labels(&self) -> [(&'static str, &str); 1] {
        [("listener", &self.name)]
    }
}

// === impl Open ===

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
