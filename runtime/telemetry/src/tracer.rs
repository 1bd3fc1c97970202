//! Spans on their way out: who keeps them, and the bounded queue in which they wait.
//!
//! A worker makes spans only for what is kept, and hands them over without waiting; what finds the queue
//! full is dropped and counted.

mod reload;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tidegate_observe::{sampler::Sampler, span::Span};
use tokio::sync::Notify;

/// Spans that may wait, by default: at 1 % of 10 000 requests a second, with two spans each, 10 s.
pub const QUEUE_LIMIT: usize = 2_048;

/// Spans that are sent at once, at the most; so many wait no longer.
pub const BATCH: usize = 512;

/// Decides which requests are traced, and takes their spans. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Shared>);

/// How spans keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Spans that arrived at the collector.
    pub exported: u64,
    /// Spans that found the queue full.
    pub queue_full: u64,
    /// Spans that could not be sent, or were not taken.
    pub failed: u64,
    /// Spans that wait.
    pub queued: u64,
    /// Spans that may wait.
    pub queue_limit: u64,
}

/// A view of a tracer that does not keep it alive.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Weak<Shared>);

struct Shared {
    sampler: Sampler,
    limit: usize,
    queue: Mutex<Vec<Span>>,
    exported: AtomicU64,
    queue_full: AtomicU64,
    failed: AtomicU64,
    /// Another one has taken its place.
    retired: AtomicBool,
    /// Told when a span comes into the empty queue, and when a batch is full.
    wake: Notify,
}

// === impl Tracer ===

impl Tracer {
    /// A tracer that keeps what `sampler` says, of which up to `limit` spans may wait ([`QUEUE_LIMIT`]).
    #[must_use]
    pub fn new(sampler: Sampler, limit: usize) -> Self {
        Self(Arc::new(Shared {
            sampler,
            limit,
            queue: Mutex::new(Vec::new()),
            exported: AtomicU64::new(0),
            queue_full: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            wake: Notify::new(),
        }))
    }

    /// What is kept.
    #[must_use]
    pub fn sampler(&self) -> &Sampler {
        &self.0.sampler
    }

    /// Takes finished spans. Never waits; those that find the queue full are dropped and counted.
    pub fn offer(&self, spans: impl IntoIterator<Item = Span>) {
        let shared = &*self.0;
        let mut dropped = 0;
        let mut queue = shared.queue.lock();
        let before = queue.len();
        for span in spans {
            if queue.len() < shared.limit {
                queue.push(span);
            } else {
                dropped += 1;
            }
        }
        let now = queue.len();
        drop(queue);
        if dropped > 0 {
            shared.queue_full.fetch_add(dropped, Ordering::Relaxed);
        }
        if (before == 0 && now > 0) || (before < BATCH && now >= BATCH) {
            shared.wake.notify_one();
        }
    }

    /// Another one has taken its place: it sends the spans of requests that began before that, and no metrics any
    /// more.
    pub fn retire(&self) {
        self.0.retired.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.0.retired.load(Ordering::Relaxed)
    }

    /// How spans keep up.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.figures()
    }

    /// Takes the oldest spans out, at most a [`BATCH`].
    pub(crate) fn take(&self) -> Vec<Span> {
        let mut queue = self.0.queue.lock();
        let batch = queue.len().min(BATCH);
        let rest = queue.split_off(batch);
        std::mem::replace(&mut *queue, rest)
    }

    pub(crate) fn queued(&self) -> usize {
        self.0.queue.lock().len()
    }

    /// Waits until a span comes into the empty queue, or a batch is full; at once if that was since the
    /// last time.
    pub(crate) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Counts spans that arrived and such that will not.
    pub(crate) fn settled(&self, exported: u64, failed: u64) {
        self.0.exported.fetch_add(exported, Ordering::Relaxed);
        self.0.failed.fetch_add(failed, Ordering::Relaxed);
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::downgrade(&self.0))
    }
}

// === impl Watch ===

impl Watch {
    pub(crate) fn figures(&self) -> Option<Figures> {
        self.0.upgrade().map(|shared| shared.figures())
    }
}

// === impl Shared ===

impl Shared {
    fn figures(&self) -> Figures {
        Figures {
            exported: self.exported.load(Ordering::Relaxed),
            queue_full: self.queue_full.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            queued: self.queue.lock().len() as u64,
            queue_limit: self.limit as u64,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("sampler", &self.sampler).field("figures", &self.figures()).finish()
    }
}
