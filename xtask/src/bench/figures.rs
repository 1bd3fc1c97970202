//! What one measurement of one subject found.

use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

/// One measurement of one subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// User and system time of the process, for each request.
    pub cpu_us: f64,
    /// Answers a second.
    pub rate: f64,
    /// Median latency.
    pub p50_us: f64,
    /// Latency that 1 % exceed.
    pub p99_us: f64,
    /// Resident memory.
    pub resident_mib: f64,
    /// Share of one core that the process used.
    pub core: f64,
}

impl Figures {
    /// Reads the line that the load generator prints.
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(line)?;
        let number = |name: &str| value[name].as_f64().with_context(|| format!("no {name}"));
        let (requests, window_us) = (number("requests")?, number("window_us")?);
        let cpu_us = number("cpu_us")?;
        Ok(Self {
            cpu_us: cpu_us / requests.max(1.0),
            rate: requests / (window_us / 1e6),
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
            resident_mib: number("resident_kib")? / 1024.0,
            core: cpu_us / window_us,
        })
    }

    /// The median of each figure by itself.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            cpu_us: of(|figures| figures.cpu_us),
            rate: of(|figures| figures.rate),
            p50_us: of(|figures| figures.p50_us),
            p99_us: of(|figures| figures.p99_us),
            resident_mib: of(|figures| figures.resident_mib),
            core: of(|figures| figures.core),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:8.1} µs CPU {:9.0} req/s  p50 {:7.0} µs  p99 {:7.0} µs  {:6.1} MiB  {:3.0} % of a core",
            self.cpu_us,
            self.rate,
            self.p50_us,
            self.p99_us,
            self.resident_mib,
            self.core * 100.0
        )
    }
}

/// The middle one, or the mean of the two in the middle; no number of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}
