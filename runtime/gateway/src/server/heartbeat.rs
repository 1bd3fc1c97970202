//! Whether the workers still run: each counts, and somebody looks whether it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One worker's count. Dropped when the worker has ended in order.
#[derive(Debug)]
pub(super) struct Pulse(Arc<AtomicU64>);

/// What a worker that has ended leaves behind: it is not stuck.
const ENDED: u64 = u64::MAX;

/// Tells workers that run from those that are stuck.
#[derive(Debug)]
pub struct Heartbeat {
    workers: Vec<Arc<AtomicU64>>,
    seen: Vec<u64>,
}

// === impl Heartbeat ===

impl Heartbeat {
    pub(super) fn new() -> Self {
        Self { workers: Vec::new(), seen: Vec::new() }
    }

    pub(super) fn worker(&mut self) -> Pulse {
        let count = Arc::new(AtomicU64::new(1));
        self.workers.push(Arc::clone(&count));
        self.seen.push(0);
        Pulse(count)
    }

    /// The workers, counted from 0, that did nothing since this was last asked. A worker that has
    /// ended in order is none of them; one that panicked is.
    ///
    /// To be asked less often than the workers were told to count.
    pub fn stuck(&mut self) -> Vec<usize> {
        let mut stuck = Vec::new();
        for (index, (count, seen)) in self.workers.iter().zip(&mut self.seen).enumerate() {
            let now = count.load(Ordering::Relaxed);
            if now == *seen && now != ENDED {
                stuck.push(index);
            }
            *seen = now;
        }
        stuck
    }
}

// === impl Pulse ===

impl Pulse {
    /// Counts for ever.
    pub(super) async fn beat(&self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.store(ENDED, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Heartbeat;
    use std::time::Duration;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_does_not_count_is_named_and_one_that_ended_is_not() {
        let mut heartbeat = Heartbeat::new();
        let (first, second) = (heartbeat.worker(), heartbeat.worker());
        let second = tokio::spawn(async move { second.beat(Duration::from_secs(1)).await });
        let mut found = vec![heartbeat.stuck()];
        sleep(Duration::from_millis(1500)).await;
        found.push(heartbeat.stuck());
        second.abort();
        let _ = second.await;
        sleep(Duration::from_secs(2)).await;
        found.push(heartbeat.stuck());
        drop(first);
        found.push(heartbeat.stuck());
        assert_eq!(found, [vec![], vec![0], vec![0], vec![]]);
    }
}
