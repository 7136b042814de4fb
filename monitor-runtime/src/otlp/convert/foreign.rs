//! Converts the families of the user's collectors.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Summary, SummaryDataPoint,
};
use prometheus::proto::{self, MetricFamily, MetricType};

use super::parts::{CUMULATIVE, Span, apart, sum, unit};
use crate::families::prometheus_value::value;
use crate::otlp::attributes::text;

/// The start of the process in nanoseconds since 1970, from which totals count. The metric is in seconds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time in this century; fractions of a second are cut off"
)]
pub(super) fn process_start(families: &[MetricFamily]) -> Option<u64> {
    let family = families.iter().find(|family| family.name() == "process_start_time_seconds")?;
    let seconds = value(MetricType::GAUGE, family.get_metric().first()?);
    (seconds > 0.0).then(|| (seconds as u64).saturating_mul(1_000_000_000))
}

/// Converts a family.
pub(super) fn metric(family: &MetricFamily, span: Span) -> Metric {
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
        bucket_counts: apart(cumulative.into_iter().chain([histogram.get_sample_count()])),
        explicit_bounds,
        ..HistogramDataPoint::default()
    }
}

/// The sum of a histogram. OTLP requires it to be monotonic, so it is left out if there may be negative values.
fn sum_of(histogram: &proto::Histogram) -> Option<f64> {
    let sum = histogram.get_sample_sum();
    let has_negative = histogram.get_bucket().first().is_some_and(|bucket| bucket.upper_bound() < 0.0);
    (sum >= 0.0 && !has_negative).then_some(sum)
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
