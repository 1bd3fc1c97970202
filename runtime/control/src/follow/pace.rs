//! When an upstream is asked for its schema again.

use crate::reflection::{FetchError, Fetched, Fetcher};
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;
use tidegate_telemetry::random;
use tokio::time::sleep;

/// How often it is looked whether the connection is still open.
const LOOK: Duration = Duration::from_millis(250);
/// The pause after the first failure; each further one doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The shortest time from a fetch to the next, whatever happens.
const GAP_MIN: Duration = Duration::from_secs(1);

/// The pace of one upstream.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// Fetches that failed one after the other.
    failures: u32,
    /// Fetches before their time that found nothing new, one after the other.
    in_vain: u32,
    early: bool,
    last: Option<Bytes>,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, failures: 0, in_vain: 0, early: false, last: None }
    }

    /// Takes note of how a fetch ended.
    pub(super) fn note(&mut self, result: &Result<Fetched, FetchError>) {
        let Ok(fetched) = result else {
            self.failures = self.failures.saturating_add(1);
            return;
        };
        let changed = self.last.as_ref() != Some(&fetched.descriptor_set);
        if changed {
            self.last = Some(fetched.descriptor_set.clone());
        }
        self.in_vain = if self.early && !changed && self.failures == 0 { self.in_vain.saturating_add(1) } else { 0 };
        self.failures = 0;
    }

    /// Waits until it is time for the next fetch. `hint` is done when a request makes the schema doubtful.
    pub(super) async fn wait(&mut self, fetcher: &Fetcher, hint: impl Future<Output = ()>) {
        if self.failures > 0 {
            let sooner = async {
                sleep(GAP_MIN).await;
                hint.await;
            };
            tokio::select! {
                () = sleep(jittered(self.pause())) => {}
                () = sooner => {}
            }
            return;
        }
        let event = async {
            sleep(self.gap()).await;
            tokio::select! {
                () = hint => {}
                () = lost(fetcher) => {}
            }
        };
        self.early = tokio::select! {
            () = sleep(jittered(self.interval)) => false,
            () = event => true,
        };
    }

    /// After a failure.
    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX)
    }

    /// Until a lost connection or a hint counts: longer while they turn out to mean nothing, as with a
    /// server that closes idle connections, or a method that it never had.
    fn gap(&self) -> Duration {
        GAP_MIN.saturating_mul(1 << self.in_vain.min(16)).min(self.interval)
    }
}

/// Waits until the connection is lost over which the last answer came.
async fn lost(fetcher: &Fetcher) {
    while fetcher.is_connected() {
        sleep(LOOK).await;
    }
}

/// Nine to eleven tenths of it: gateways that were started together do not ask together.
fn jittered(duration: Duration) -> Duration {
    duration * 9 / 10 + Duration::from_millis(random::below((duration.as_millis() as u64 / 5).max(1)))
}

#[cfg(test)]
mod tests;
