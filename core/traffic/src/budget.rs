//! A budget of retries: what fails is not multiplied.
//!
//! Retries of the last ten seconds are at most a share of the first tries of that time, or one for each second of it, so
//! that a service with few calls has retries at all. The idea and the figures are Finagle's (`RetryBudget`), which
//! linkerd and Envoy have too; here both are counted in one window, so that an idle time leaves nothing over.
//!
//! Time is counted in seconds: what was in second *n* is forgotten when second *n* + 10 begins.

#[cfg(all(test, tidegate_loom))]
mod loom;

use crate::share::Share;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering::Relaxed};
use std::time::Duration;

/// The seconds of the window, and the retries that it has at least.
pub const WINDOW_SECONDS: u64 = 10;

/// One more, so that a thread that read the clock a second ago does not count in the place of the newest.
const SLOTS: usize = WINDOW_SECONDS as usize + 1;

/// How many retries of the calls to one upstream there may be. Threads share it: first tries are one atomic step,
/// retries, which are few, hold a lock.
#[derive(Debug)]
pub struct Budget {
    /// In billionths.
    share: AtomicU32,
    /// Of each second: the second itself in the upper half, first tries in the lower.
    firsts: [AtomicU64; SLOTS],
    /// Of each second: the second, and retries.
    retries: Mutex<[(u64, u32); SLOTS]>,
    /// Retries that it did not allow.
    refused: AtomicU64,
}

// === impl Budget ===

impl Budget {
    /// The share where nothing is said.
    pub const DEFAULT: Share = Share::percent(20);

    /// A budget of this share of first tries.
    #[must_use]
    pub fn new(share: Share) -> Self {
        Self {
            share: AtomicU32::new(share.billionths()),
            firsts: std::array::from_fn(|_| AtomicU64::new(0)),
            retries: Mutex::new([(0, 0); SLOTS]),
            refused: AtomicU64::new(0),
        }
    }

    /// The share of first tries.
    #[must_use]
    pub fn share(&self) -> Share {
        Share::from_billionths(self.share.load(Relaxed))
    }

    /// Another share from now on.
    pub fn set(&self, share: Share) {
        self.share.store(share.billionths(), Relaxed);
    }

    /// A call is made for the first time. `now` is that of any clock that goes forward.
    pub fn deposit(&self, now: Duration) {
        let (second, slot) = place(now);
        let (tag, slot) = (tag(second), &self.firsts[slot]);
        let mut seen = slot.load(Relaxed);
        loop {
            let next = match seen >> 32 {
                known if known == tag && seen & COUNT < COUNT => seen + 1,
                known if known < tag => (tag << 32) | 1,
                // Full, or a thread that is a whole window late.
                _ => return,
            };
            match slot.compare_exchange_weak(seen, next, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    /// Whether a call may be made again; then that is counted.
    pub fn withdraw(&self, now: Duration) -> bool {
        let (second, slot) = place(now);
        let mut retries = self.retries.lock();
        let made: u64 = retries.iter().filter(|(at, _)| is_in(*at, second)).map(|(_, count)| u64::from(*count)).sum();
        let may = made < WINDOW_SECONDS || !self.share().is_exceeded(made + 1, self.firsts_at(second));
        if !may {
            self.refused.fetch_add(1, Relaxed);
            return false;
        }
        let (at, count) = &mut retries[slot];
        // A thread that is a whole window late counts with the newest.
        (*at, *count) = if *at < second { (second, 1) } else { (*at, count.saturating_add(1)) };
        true
    }

    /// Retries that it did not allow since it was made.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// First tries in the window that ends with this second.
    fn firsts_at(&self, second: u64) -> u64 {
        let window = (0..WINDOW_SECONDS).filter_map(|age| second.checked_sub(age));
        let count = |at: u64| {
            let seen = self.firsts[slot_of(at)].load(Relaxed);
            if seen >> 32 == tag(at) { seen & COUNT } else { 0 }
        };
        window.map(count).sum()
    }
}

/// The bits of a count in a slot of first tries.
const COUNT: u64 = (1 << 32) - 1;

fn place(now: Duration) -> (u64, usize) {
    // Second 0 would look like a slot that was never used.
    let second = now.as_secs() + 1;
    (second, slot_of(second))
}

fn slot_of(second: u64) -> usize {
    usize::try_from(second % SLOTS as u64).unwrap_or(0)
}

/// The second as a slot has it: 136 years of them.
fn tag(second: u64) -> u64 {
    second & COUNT
}

/// Whether a second is in the window that ends with `second`.
fn is_in(at: u64, second: u64) -> bool {
    at > 0 && at <= second && at + WINDOW_SECONDS > second
}
