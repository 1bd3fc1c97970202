//! How many calls may be in flight at once, found by watching how long they take.
//!
//! Beyond what a service can do at once, calls wait in it, and take longer. So the limit goes down as calls take
//! longer than they do at low load, and up, slowly, while they do not:
//!
//! ```text
//! gradient = tolerance × least ÷ median of the last window         between ½ and 1
//! limit    = limit × gradient + √limit                             between min and max
//! ```
//!
//! Both are those of Netflix's `concurrency-limits` (`Gradient2Limit`: the bounds of the
//! gradient) and of Envoy's adaptive concurrency filter (the tolerance of 1.25, the headroom √limit, that the latency at low load is measured
//! again from time to time). Two things are our own. *Least* is the median of a window, as what it is
//! compared with, so that a service whose calls differ is not held to its quickest. And it is measured again at half
//! of the limit, not at three calls: a measurement costs little, and a *least* that was measured too high is found
//! in a few of them, each at half of what was there before.
//!
//! A limit that is not made use of does not grow, or it would be anything when it is needed.

use std::time::Duration;

/// How the limit is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The least that the limit becomes.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// Where it begins.
    pub initial: u32,
    /// Calls are looked at together that end within such a time.
    pub window: Duration,
    /// A window lasts until so many calls have ended.
    pub samples: u32,
    /// How often the latency at low load is measured again.
    pub remeasure: Duration,
}

/// Settings that find no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nothing would pass.
    #[error("`min` is at least 1")]
    NoMin,
    /// The least is above the most.
    #[error("`max` is at least `min`")]
    ShortMax,
}

/// Of a window no more calls than these are looked at: the median of more is no other.
const LOOKED_AT: usize = 256;

/// Calls may take this many times as long as at low load: in hundredths.
const TOLERANCE_PER_CENT: u128 = 125;

/// A limit. Times are those of any clock that goes forward.
#[derive(Clone, Debug)]
pub struct Gradient {
    settings: Settings,
    /// In millionths, so that small limits can change by parts.
    limit: u64,
    least: Option<Duration>,
    window: Window,
    phase: Phase,
}

/// The calls that are looked at together.
#[derive(Clone, Debug)]
struct Window {
    since: Duration,
    took: Vec<Duration>,
    ended: u32,
    /// The most that were in flight.
    in_flight: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Until then.
    Following { until: Duration },
    /// The latency at low load is measured: of calls that began since then.
    Measuring { since: Duration },
}

/// A call that went well, or that took until its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it began.
    pub began: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Calls in flight when it ended, this one included.
    pub in_flight: u32,
}

/// One call in flight, in the unit of the limit.
const ONE: u64 = 1_000_000;

// === impl Settings ===

impl Settings {
    /// # Errors
    /// What finds no limit.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.min == 0 {
            return Err(SettingsError::NoMin);
        }
        if self.max < self.min {
            return Err(SettingsError::ShortMax);
        }
        Ok(())
    }
}

impl Default for Settings {
    /// From 20 calls on, between 4 and 1 000; looked at ten times a second, measured again each half minute.
    fn default() -> Self {
        Self {
            min: 4,
            max: 1000,
            initial: 20,
            window: Duration::from_millis(100),
            samples: 10,
            remeasure: Duration::from_secs(30),
        }
    }
}

// === impl Gradient ===

impl Gradient {
    /// A limit of which nothing is known yet.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        let initial = settings.initial.clamp(settings.min, settings.max);
        let window = Window { since: now, took: Vec::new(), ended: 0, in_flight: 0 };
        let phase = Phase::Following { until: now + settings.remeasure };
        Self { settings, limit: u64::from(initial) * ONE, least: None, window, phase }
    }

    /// How many calls may be in flight: half of what was found while the latency at low load is measured.
    #[must_use]
    pub fn limit(&self) -> u32 {
        let whole = u32::try_from(self.limit / ONE).unwrap_or(u32::MAX);
        match self.phase {
            Phase::Following { .. } => whole,
            Phase::Measuring { .. } => (whole / 2).max(self.settings.min),
        }
    }

    /// How long calls take at low load, as far as it is known.
    #[must_use]
    pub fn least(&self) -> Option<Duration> {
        self.least
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// A call ended. `chance` is uniform in 0..2⁶⁴: it spreads measurements, so that gateways do not measure at
    /// the same time.
    pub fn observe(&mut self, sample: Sample, chance: u64) {
        let Sample { began, ended, in_flight } = sample;
        if let Phase::Following { until } = self.phase
            && ended >= until
            && self.least.is_some()
        {
            self.phase = Phase::Measuring { since: ended };
            self.window.clear(ended);
        }
        if matches!(self.phase, Phase::Measuring { since } if began < since) {
            return;
        }
        self.window.add(ended.saturating_sub(began), in_flight);
        let over = ended >= self.window.since + self.settings.window && self.window.ended >= self.settings.samples;
        if !over {
            return;
        }
        let median = self.window.median();
        if matches!(self.phase, Phase::Measuring { .. }) {
            self.least = Some(median);
            let spread = self.settings.remeasure / 10;
            self.phase = Phase::Following { until: ended + self.settings.remeasure + part(spread, chance) };
        } else {
            self.follow(median);
        }
        self.window.clear(ended);
    }

    /// Moves the limit by what a window showed.
    fn follow(&mut self, median: Duration) {
        let least = self.least.map_or(median, |least| least.min(median));
        self.least = Some(least);
        let (least, median) = (least.as_nanos().max(1), median.as_nanos().max(1));
        let whole = u128::from(ONE);
        let gradient = (whole * TOLERANCE_PER_CENT * least / (100 * median)).clamp(whole / 2, whole);
        let kept = u64::try_from(u128::from(self.limit) * gradient / whole).unwrap_or(u64::MAX);
        // √(limit × ONE²) is √limit in the same unit.
        let headroom = (u128::from(self.limit) * whole).isqrt();
        let next = kept.saturating_add(u64::try_from(headroom).unwrap_or(u64::MAX));
        let used = u64::from(self.window.in_flight) * 2 * ONE >= self.limit;
        let next = if used { next } else { next.min(self.limit) };
        let Settings { min, max, .. } = self.settings;
        self.limit = next.clamp(u64::from(min) * ONE, u64::from(max) * ONE);
    }
}

// === impl Window ===

impl Window {
    fn add(&mut self, took: Duration, in_flight: u32) {
        if self.took.len() < LOOKED_AT {
            self.took.push(took);
        }
        self.ended = self.ended.saturating_add(1);
        self.in_flight = self.in_flight.max(in_flight);
    }

    fn median(&mut self) -> Duration {
        let middle = self.took.len() / 2;
        if self.took.is_empty() { Duration::ZERO } else { *self.took.select_nth_unstable(middle).1 }
    }

    fn clear(&mut self, now: Duration) {
        self.since = now;
        self.took.clear();
        self.ended = 0;
        self.in_flight = 0;
    }
}

/// A random part of a time.
fn part(of: Duration, chance: u64) -> Duration {
    let nanos = (of.as_nanos() * u128::from(chance)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
