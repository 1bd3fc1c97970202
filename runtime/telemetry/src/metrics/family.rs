//! The two shapes in which plain numbers are shown: one value, and values by label.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// A metric's name (without prefix and `_total`) and its help text.
pub(super) type Name = (&'static str, &'static str);

/// Writes a family of counters, one for each label set.
pub(super) fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): Name,
    values: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in values {
        let mut metric = family.encode_family(&labels)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
    }
    Ok(())
}

/// Writes a family of gauges, one for each label set.
pub(super) fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): Name,
    values: impl IntoIterator<Item = (L, i64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Writes a single counter.
pub(super) fn counter(encoder: &mut DescriptorEncoder<'_>, (name, help): Name, value: u64) -> fmt::Result {
    let mut metric: MetricEncoder<'_> = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

/// Writes a single gauge.
pub(super) fn gauge(encoder: &mut DescriptorEncoder<'_>, (name, help): Name, value: i64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

/// A count as a gauge shows it.
pub(super) fn level(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
