//! A metric family.

use super::{nanos, text};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as ExemplarMessage, Gauge, Histogram as Histograms, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, exemplar, metric, number_data_point,
};
use tidegate_observe::metric::{Exemplar, Family, Histogram, Labels, Point, Series};

pub(super) fn family(family: &Family, since: u64, at: u64) -> Metric {
    let data = match &family.series {
        Series::Counters(points) => metric::Data::Sum(Sum {
            data_points: points.iter().map(|point| number(point, since, at)).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        }),
        Series::Gauges(points) => {
            metric::Data::Gauge(Gauge { data_points: points.iter().map(|point| number(point, 0, at)).collect() })
        }
        Series::Histograms(histograms) => metric::Data::Histogram(Histograms {
            data_points: histograms.iter().map(|of| histogram(of, since, at)).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
        }),
    };
    Metric {
        name: family.name.clone(),
        description: family.help.clone(),
        unit: unit(&family.unit).to_owned(),
        metadata: Vec::new(),
        data: Some(data),
    }
}

/// OpenMetrics' units as UCUM has them, which OTLP asks for.
fn unit(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        "" => "1",
        other => other,
    }
}

fn number(point: &Point, since: u64, at: u64) -> NumberDataPoint {
    // All that counts are whole numbers.
    let whole = point.value.fract() == 0.0 && point.value.abs() < 9e15;
    let value = if whole {
        number_data_point::Value::AsInt(point.value as i64)
    } else {
        number_data_point::Value::AsDouble(point.value)
    };
    NumberDataPoint {
        attributes: labels(&point.labels),
        start_time_unix_nano: since,
        time_unix_nano: at,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn histogram(histogram: &Histogram, since: u64, at: u64) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: labels(&histogram.labels),
        start_time_unix_nano: since,
        time_unix_nano: at,
        count: histogram.counts.iter().sum(),
        sum: Some(histogram.sum),
        bucket_counts: histogram.counts.clone(),
        explicit_bounds: histogram.bounds.clone(),
        exemplars: histogram.exemplars.iter().map(example).collect(),
        ..HistogramDataPoint::default()
    }
}

fn example(of: &Exemplar) -> ExemplarMessage {
    ExemplarMessage {
        filtered_attributes: Vec::new(),
        time_unix_nano: nanos(of.at),
        span_id: of.span_id.to_vec(),
        trace_id: of.trace_id.to_vec(),
        value: Some(exemplar::Value::AsDouble(of.value)),
    }
}

fn labels(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| text(name, value)).collect()
}
