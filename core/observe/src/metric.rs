//! Metric families: what was counted until now.

use std::time::Duration;

/// All series of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name, without `_total`.
    pub name: String,
    /// What it means.
    pub help: String,
    /// Its unit as OpenMetrics writes it (`seconds`, `bytes`); empty for plain numbers.
    pub unit: String,
    /// Its series, all of one kind.
    pub series: Series,
}

/// The series of a family.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    /// Sums that only grow.
    Counters(Vec<Point>),
    /// Levels.
    Gauges(Vec<Point>),
    /// Distributions.
    Histograms(Vec<Histogram>),
}

/// Labels: names and values.
pub type Labels = Vec<(String, String)>;

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What tells it from the others of its family.
    pub labels: Labels,
    /// The number.
    pub value: f64,
}

/// One distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// What tells it from the others of its family.
    pub labels: Labels,
    /// The upper bounds of the buckets, rising; the last bucket has none.
    pub bounds: Vec<f64>,
    /// How many were in each bucket, not cumulative: one more than bounds.
    pub counts: Vec<u64>,
    /// The sum of all that was observed.
    pub sum: f64,
    /// Examples, at most one for each bucket.
    pub exemplars: Vec<Exemplar>,
}

/// One observation that belongs to a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// The bucket it fell into.
    pub bucket: usize,
    /// What was observed.
    pub value: f64,
    /// When, since the Unix epoch.
    pub at: Duration,
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span within it.
    pub span_id: [u8; 8],
}
