//! Which shard of a counter the calling thread writes to.
//!
//! Threads are numbered as they first ask, so the workers of the data plane, which start together,
//! land on different shards and never contend for a cache line.

use std::{
    cell::Cell,
    sync::atomic::{AtomicI64, AtomicUsize, Ordering},
};

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NUMBER: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
}

/// The most shards a counter is split into: more threads than this share.
pub(crate) const MAX: usize = 16;

/// How many shards serve `threads` writers: a power of two, at most [`MAX`].
pub(crate) fn count_for(threads: usize) -> usize {
    threads.clamp(1, MAX).next_power_of_two()
}

/// The shard of the calling thread among `shards`, which is a power of two.
pub(crate) fn of_this_thread(shards: usize) -> usize {
    debug_assert!(shards.is_power_of_two());
    NUMBER.with(Cell::get) & (shards - 1)
}

/// A number that threads add to without contending. Each shard has its own cache line (128 bytes:
/// processors fetch lines in pairs).
#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicI64);

/// A sum over shards: goes up and down, read only by a scrape.
#[derive(Debug)]
pub(crate) struct Sum(Box<[Line]>);

impl Sum {
    pub(crate) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| Line(AtomicI64::new(0))).collect())
    }

    pub(crate) fn add(&self, delta: i64) {
        self.0[of_this_thread(self.0.len())].0.fetch_add(delta, Ordering::Relaxed);
    }

    /// The sum. Taken while others add, it may be a moment old, and an increment on one shard may
    /// be missed whose decrement on another is seen; hence never below 0.
    pub(crate) fn get(&self) -> i64 {
        let sum: i64 = self.0.iter().map(|line| line.0.load(Ordering::Relaxed)).sum();
        sum.max(0)
    }
}
