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
    refused: [AtomicU64; REFUSALS.len()],
    limit: AtomicU64,
}

/// Why a connection was closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Refusal {
    /// The process has as many as it may have.
    Process,
    /// The listener has.
    Listener,
    /// The client's address has.
    Address,
    /// The process uses as much memory as it may.
    Memory,
}

/// Every reason with its label, in the order of the enum.
const REFUSALS: [(Refusal, &str); 4] = [
    (Refusal::Process, "process"),
    (Refusal::Listener, "listener"),
    (Refusal::Address, "address"),
    (Refusal::Memory, "memory"),
];

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
                refused: Default::default(),
                limit: AtomicU64::new(0),
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
            listeners.iter().flat_map(|one| {
                REFUSALS.iter().map(|(why, name)| {
                    ([("listener", &*one.name), ("reason", *name)], one.refused[*why as usize].load(Ordering::Relaxed))
                })
            }),
        )?;
        family::gauges(
            encoder,
            ("connections_limit", "Connections that a listener may have open."),
            listeners.iter().map(|one| (one.labels(), family::level(one.limit.load(Ordering::Relaxed)))),
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
    pub fn refused(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Sets how many connections may be open.
    pub fn set_limit(&self, connections: u64) {
        self.limit.store(connections, Ordering::Relaxed);
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
