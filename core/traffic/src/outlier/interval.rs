//! Endpoints beside each other, after an interval.

use super::{Settings, SuccessRate, Why};
use std::time::Duration;

/// By how much a success rate must be lower than the mean, whatever the deviation.
const GAP: f64 = 0.05;

/// By how much slower a slow endpoint is at least.
const LONGER: Duration = Duration::from_millis(10);

/// With fewer calls in an interval an endpoint is not taken for slow, nor a measure of it.
const CALLS_MIN: u32 = 20;

/// What was counted of an endpoint in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Calls that ended.
    pub calls: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Calls whose time says something of the endpoint.
    pub timed: u32,
    /// The sum of the times of those, in microseconds.
    pub micros: u64,
}

impl Sample {
    fn success(self) -> f64 {
        1.0 - f64::from(self.failed.min(self.calls)) / f64::from(self.calls.max(1))
    }

    fn mean(self) -> Duration {
        Duration::from_micros(self.micros / u64::from(self.timed.max(1)))
    }
}

/// The endpoints that stand out, the worst first, each with its reason. By their places among the samples.
#[must_use]
pub fn judge(settings: &Settings, samples: &[Sample]) -> Vec<(usize, Why)> {
    let mut found = settings.success_rate.map(|rate| failing(rate, samples)).unwrap_or_default();
    for (at, why) in settings.slow.map(|times| slow(times, samples)).unwrap_or_default() {
        if found.iter().all(|(known, _)| *known != at) {
            found.push((at, why));
        }
    }
    found
}

fn failing(rate: SuccessRate, samples: &[Sample]) -> Vec<(usize, Why)> {
    let judged: Vec<_> =
        samples.iter().enumerate().filter(|(_, sample)| sample.calls >= rate.min_calls.max(1)).collect();
    if judged.is_empty() || judged.len() < rate.min_endpoints as usize {
        return Vec::new();
    }
    let count = judged.len() as f64;
    let mean = judged.iter().map(|(_, sample)| sample.success()).sum::<f64>() / count;
    let variance = judged.iter().map(|(_, sample)| (sample.success() - mean).powi(2)).sum::<f64>() / count;
    let least = (mean - variance.sqrt() * f64::from(rate.deviations) / 1e3).min(mean - GAP);
    let mut found: Vec<_> = judged.into_iter().filter(|(_, sample)| sample.success() < least).collect();
    found.sort_by(|(_, a), (_, b)| a.success().total_cmp(&b.success()));
    let why = |sample: &Sample| Why::SuccessRate { calls: sample.calls, failed: sample.failed, mean };
    found.into_iter().map(|(at, sample)| (at, why(sample))).collect()
}

fn slow(times: u32, samples: &[Sample]) -> Vec<(usize, Why)> {
    let judged: Vec<_> = samples.iter().enumerate().filter(|(_, sample)| sample.timed >= CALLS_MIN).collect();
    let mut found = Vec::new();
    for (at, sample) in &judged {
        let mut others: Vec<_> =
            judged.iter().filter(|(other, _)| other != at).map(|(_, sample)| sample.mean()).collect();
        others.sort_unstable();
        // Of an even number the lower of the two in the middle: of two endpoints the quicker is the measure.
        let Some(median) = others.get(others.len().saturating_sub(1) / 2).copied() else { continue };
        let took = sample.mean();
        if took >= median * times && took >= median + LONGER {
            found.push((*at, Why::Slow { took, others: median }));
        }
    }
    found.sort_by_key(|(at, _)| std::cmp::Reverse(samples[*at].mean()));
    found
}
