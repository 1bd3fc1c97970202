//! How long an endpoint takes, as far as it matters now.

use std::time::Duration;

/// After how long a latency counts for a third (1/e): Finagle's and Linkerd's default.
pub const DECAY: Duration = Duration::from_secs(10);

/// What an endpoint is taken for that has a call and has not answered any yet: so long that nobody follows before the
/// first answer.
const UNKNOWN_MICROS: f64 = 1e9;

/// A peak-sensitive moving average of latencies: a longer one counts at once, shorter ones pull it down over [`DECAY`].
///
/// With `w = exp(−t / DECAY)`, where `t` is the time since the last answer: a latency above the average takes its
/// place; one below it gives `average × w + latency × (1 − w)`. Without answers the average falls by `w` too, so that an
/// endpoint that was slow is tried again. The cost of a call is `average × (calls in flight + 1)`. (Finagle's
/// `PeakEwma`, Linkerd's and `tower::load::PeakEwma`.)
///
/// Eight bytes, so that threads share it as one atomic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ewma {
    micros: f32,
    /// Milliseconds since an epoch that the caller has, modulo 2³². Times that seem to go back are no time.
    at_ms: u32,
}

impl Ewma {
    /// The average after an answer that took `latency`.
    #[must_use]
    pub fn observe(self, latency: Duration, now: Duration) -> Self {
        let micros = latency.as_secs_f64() * 1e6;
        let average = f64::from(self.micros);
        let next = if micros >= average {
            micros
        } else {
            let weight = self.weight(now);
            average * weight + micros * (1.0 - weight)
        };
        // Never nothing, which means that nothing is known.
        Self { micros: next.max(1.0) as f32, at_ms: millis(now) }
    }

    /// What one more call is taken to cost now, in microseconds: the average times the calls that are then in flight. Of an
    /// endpoint that has not answered yet, nothing for the first call, and very much for a second.
    #[must_use]
    pub fn cost(self, in_flight: u32, now: Duration) -> f64 {
        let average = match (self.micros, in_flight) {
            (0.0, 0) => 0.0,
            (0.0, _) => UNKNOWN_MICROS,
            (micros, _) => f64::from(micros) * self.weight(now),
        };
        average * (f64::from(in_flight) + 1.0)
    }

    /// The average at the last answer; `None` before the first.
    #[must_use]
    pub fn latency(self) -> Option<Duration> {
        (self.micros > 0.0).then(|| Duration::from_secs_f64(f64::from(self.micros) / 1e6))
    }

    /// As one number.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.micros.to_bits() as u64) << 32 | self.at_ms as u64
    }

    /// The inverse of [`to_bits`](Self::to_bits).
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self { micros: f32::from_bits((bits >> 32) as u32), at_ms: bits as u32 }
    }

    fn weight(self, now: Duration) -> f64 {
        let elapsed = millis(now).wrapping_sub(self.at_ms);
        // More than half of the range is a clock of another thread that was read earlier.
        let elapsed = if elapsed > u32::MAX / 2 { 0 } else { elapsed };
        (-f64::from(elapsed) / 1e3 / DECAY.as_secs_f64()).exp()
    }
}

fn millis(now: Duration) -> u32 {
    (now.as_millis() & u128::from(u32::MAX)) as u32
}
