//! From what a `prometheus` registry gathers to OTLP's metrics, under the same names and labels.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, Summary,
    SummaryDataPoint,
};
use prometheus::proto::{self, MetricFamily, MetricType};

use super::attributes::text;
use crate::exposition::foreign::value;

/// What of a registry can be exported.
pub(super) struct Converted {
    pub(super) metrics: Vec<Metric>,
    /// Data points in all of them.
    pub(super) points: usize,
}

/// When the numbers began and when they were read, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Stands for the start of the process, where that is not gathered.
    pub(super) fallback_start: u64,
    pub(super) now: u64,
}

/// Converts every family: counters to cumulative monotonic sums, histograms to cumulative ones with explicit bounds.
pub(super) fn convert(families: &[MetricFamily], times: Times) -> Converted {
    let start = process_start(families).unwrap_or(times.fallback_start).min(times.now);
    let span = Span { start, now: times.now };
    let metrics = families.iter().map(|family| metric(family, span)).collect();
    Converted { metrics, points: families.iter().map(|family| family.get_metric().len()).sum() }
}

/// The time that a point is about.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    now: u64,
}

/// Totals count from here; the metric is in seconds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time in this century, to the second"
)]
fn process_start(families: &[MetricFamily]) -> Option<u64> {
    let family = families.iter().find(|family| family.name() == "process_start_time_seconds")?;
    let seconds = value(MetricType::GAUGE, family.get_metric().first()?);
    (seconds > 0.0).then(|| (seconds as u64).saturating_mul(1_000_000_000))
}

fn metric(family: &MetricFamily, span: Span) -> Metric {
    let (kind, samples) = (family.get_field_type(), family.get_metric());
    let numbers = || samples.iter().map(|sample| number(sample, value(kind, sample), span)).collect();
    let data = match kind {
        MetricType::COUNTER => sum(numbers()),
        MetricType::HISTOGRAM => {
            let data_points = samples.iter().map(|sample| histogram(sample, span)).collect();
            Data::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE })
        }
        MetricType::SUMMARY => Data::Summary(Summary {
            data_points: samples.iter().map(|sample| summary(sample, span)).collect(),
        }),
        MetricType::GAUGE | MetricType::UNTYPED => Data::Gauge(Gauge { data_points: numbers() }),
    };
    Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        unit: unit(family.name()).to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

fn sum(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true })
}

/// The unit that Prometheus keeps in the name, as UCUM writes it.
fn unit(name: &str) -> &'static str {
    match name.strip_suffix("_total").unwrap_or(name).rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

fn labels(sample: &proto::Metric) -> Vec<KeyValue> {
    sample.get_label().iter().map(|label| text(label.name(), label.value())).collect()
}

fn number(sample: &proto::Metric, value: f64, span: Span) -> NumberDataPoint {
    NumberDataPoint {
        attributes: labels(sample),
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        value: Some(Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn histogram(sample: &proto::Metric, span: Span) -> HistogramDataPoint {
    let histogram = sample.get_histogram();
    let finite = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let (explicit_bounds, cumulative): (Vec<_>, Vec<_>) =
        finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count())).unzip();
    HistogramDataPoint {
        attributes: labels(sample),
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        count: histogram.get_sample_count(),
        sum: sum_of(histogram),
        bucket_counts: apart(&cumulative, histogram.get_sample_count()),
        explicit_bounds,
        ..HistogramDataPoint::default()
    }
}

/// What was measured in all, which OTLP has no place for where it may fall: with values below 0.
fn sum_of(histogram: &proto::Histogram) -> Option<f64> {
    let sum = histogram.get_sample_sum();
    let has_negative = histogram.get_bucket().first().is_some_and(|bucket| bucket.upper_bound() < 0.0);
    (sum >= 0.0 && !has_negative).then_some(sum)
}

/// Each bucket's own count, where Prometheus adds those below; the last one has no bound.
fn apart(cumulative: &[u64], all: u64) -> Vec<u64> {
    let mut below = 0;
    let counts = cumulative.iter().copied().chain([all]);
    counts.map(|count| count.saturating_sub(std::mem::replace(&mut below, count))).collect()
}

fn summary(sample: &proto::Metric, span: Span) -> SummaryDataPoint {
    let summary = sample.get_summary();
    let quantiles = summary.get_quantile().iter();
    SummaryDataPoint {
        attributes: labels(sample),
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        count: summary.sample_count(),
        sum: summary.sample_sum(),
        quantile_values: quantiles
            .map(|of| ValueAtQuantile { quantile: of.quantile(), value: of.value() })
            .collect(),
        ..SummaryDataPoint::default()
    }
}
