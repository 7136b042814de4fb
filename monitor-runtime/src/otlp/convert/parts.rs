//! What own and foreign metrics have in common.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, NumberDataPoint, Sum};

/// The time that a point covers.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) now: u64,
}

pub(super) const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

pub(super) fn sum(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true })
}

/// The unit that Prometheus keeps in the name, as UCUM writes it.
pub(super) fn unit(name: &str) -> &'static str {
    match name.strip_suffix("_total").unwrap_or(name).rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    }
}

/// Each bucket's own count, where Prometheus adds those below; the last one has no bound.
pub(super) fn apart(cumulative: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut below = 0;
    cumulative.map(|count| count.saturating_sub(std::mem::replace(&mut below, count))).collect()
}
