//! Parts of the conversion that own and foreign metrics share.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint, Sum};

/// The time range of a data point.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) now: u64,
}

pub(super) const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

pub(super) fn sum(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true })
}

/// The unit in UCUM, taken from the suffix of the name.
pub(super) fn unit(name: &str) -> &'static str {
    match name.strip_suffix("_total").unwrap_or(name).rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

/// The separate count of each bucket, from Prometheus' cumulative counts; the last bucket has no bound.
pub(super) fn apart(cumulative: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut below = 0;
    cumulative.map(|count| count.saturating_sub(std::mem::replace(&mut below, count))).collect()
}
