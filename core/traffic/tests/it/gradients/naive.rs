//! The formula as it is written, in floating point, over all calls of a window.

use std::time::Duration;
use tidegate_traffic::gradient::{Sample, Settings};

/// A limit that remembers every call of its window.
pub(super) struct Naive {
    settings: Settings,
    pub(super) found: f64,
    pub(super) least: Option<Duration>,
    calls: Vec<Sample>,
    since: Duration,
    next: Duration,
    measuring: Option<Duration>,
}

impl Naive {
    pub(super) fn new(settings: Settings, now: Duration) -> Self {
        let found = f64::from(settings.initial.clamp(settings.min, settings.max));
        let next = now + settings.remeasure;
        Self { settings, found, least: None, calls: Vec::new(), since: now, next, measuring: None }
    }

    pub(super) fn limit(&self) -> f64 {
        if self.measuring.is_some() {
            (self.found.floor() / 2.0).floor().max(f64::from(self.settings.min))
        } else {
            self.found.floor()
        }
    }

    /// The spread of the next measurement is left to the test: `spread` is that of this call, if it ends one.
    pub(super) fn observe(&mut self, sample: Sample, spread: Duration) {
        let now = sample.ended;
        if self.measuring.is_none() && self.least.is_some() && now >= self.next {
            self.measuring = Some(now);
            (self.calls, self.since) = (Vec::new(), now);
        }
        if self.measuring.is_some_and(|since| sample.began < since) {
            return;
        }
        self.calls.push(sample);
        if now - self.since < self.settings.window || self.calls.len() < self.settings.samples as usize {
            return;
        }
        let calls = std::mem::take(&mut self.calls);
        self.since = now;
        let mut took: Vec<_> = calls.iter().take(256).map(|call| call.ended - call.began).collect();
        took.sort_unstable();
        let median = took[took.len() / 2];
        if self.measuring.take().is_some() {
            self.least = Some(median);
            self.next = now + self.settings.remeasure + spread;
            return;
        }
        let least = self.least.unwrap_or(median).min(median);
        self.least = Some(least);
        let ratio = least.as_nanos().max(1) as f64 / median.as_nanos().max(1) as f64;
        let next = self.found * (1.25 * ratio).clamp(0.5, 1.0) + self.found.sqrt();
        let most = calls.iter().map(|call| call.in_flight).max().unwrap_or_default();
        let used = f64::from(most) * 2.0 >= self.found;
        let next = if used { next } else { next.min(self.found) };
        self.found = next.clamp(f64::from(self.settings.min), f64::from(self.settings.max));
    }
}
