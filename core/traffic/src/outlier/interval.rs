//! Endpoints beside each other, after an interval.

use super::{Settings, SuccessRate, Why};
use std::time::Duration;

/// By how much a success rate must be lower than the mean, whatever the deviation.
const GAP: f64 = 0.05;

/// The same where there are too few endpoints for a deviation: one of them is a larger part of what there is.
const GAP_OF_FEW: f64 = 0.1;

/// So many standard errors are no chance: of endpoints that fail alike one in 30 000 is that far off.
const NO_CHANCE: f64 = 4.0;

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

    fn good(self) -> f64 {
        f64::from(self.calls - self.failed.min(self.calls))
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
    let found = match judged.len() {
        0 | 1 => Vec::new(),
        few if few < rate.min_endpoints as usize => of_few(&judged),
        _ => of_many(rate, &judged),
    };
    let mut found: Vec<_> = found.into_iter().map(|((at, sample), others)| (at, *sample, others)).collect();
    found.sort_by(|(_, a, _), (_, b, _)| a.success().total_cmp(&b.success()));
    let why = |sample: Sample, others| Why::SuccessRate { calls: sample.calls, failed: sample.failed, others };
    found.into_iter().map(|(at, sample, others)| (at, why(sample, others))).collect()
}

/// An endpoint by its place, and how much of what the others are asked succeeds.
type Failing<'a> = ((usize, &'a Sample), f64);

/// As Envoy does it: below the mean of all by so many standard deviations.
fn of_many<'a>(rate: SuccessRate, judged: &[(usize, &'a Sample)]) -> Vec<Failing<'a>> {
    let count = judged.len() as f64;
    let mean = judged.iter().map(|(_, sample)| sample.success()).sum::<f64>() / count;
    let variance = judged.iter().map(|(_, sample)| (sample.success() - mean).powi(2)).sum::<f64>() / count;
    let least = (mean - variance.sqrt() * f64::from(rate.deviations) / 1e3).min(mean - GAP);
    let others = |sample: &Sample| (mean * count - sample.success()) / (count - 1.0);
    judged.iter().filter(|(_, sample)| sample.success() < least).map(|one| (*one, others(one.1))).collect()
}

/// Each beside all others taken together: of few, one that fails moves the mean and makes the deviation. What differs
/// by chance is told by a test of two proportions.
fn of_few<'a>(judged: &[(usize, &'a Sample)]) -> Vec<Failing<'a>> {
    let all = judged
        .iter()
        .fold((0.0, 0.0), |(calls, good), (_, sample)| (calls + f64::from(sample.calls), good + sample.good()));
    let pooled = all.1 / all.0;
    let stands_out = |one: &(usize, &'a Sample)| {
        let (calls, good) = (f64::from(one.1.calls), one.1.good());
        let (others, theirs) = (all.0 - calls, (all.1 - good) / (all.0 - calls));
        let error = (pooled * (1.0 - pooled) * (calls.recip() + others.recip())).sqrt();
        let gap = theirs - good / calls;
        (gap > GAP_OF_FEW && gap > NO_CHANCE * error).then_some((*one, theirs))
    };
    judged.iter().filter_map(stands_out).collect()
}

/// Whether an endpoint whose calls take so long is slow beside others.
pub(super) fn is_slow(took: Duration, others: Duration, times: u32) -> bool {
    took >= others.saturating_mul(times) && took >= others + LONGER
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
        if is_slow(took, median, times) {
            found.push((*at, Why::Slow { took, others: median }));
        }
    }
    found.sort_by_key(|(at, _)| std::cmp::Reverse(samples[*at].mean()));
    found
}
