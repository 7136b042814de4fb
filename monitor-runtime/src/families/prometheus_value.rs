//! The number of a `prometheus` sample, whichever features that crate was built with.

use prometheus::proto::{Counter, Gauge, Metric, MetricType};

/// The accessors for a number go by another name where somebody turned on `prometheus/protobuf`. Whichever of the two a
/// type lacks is this one; an inherent method wins over it.
#[allow(dead_code, reason = "one of the two is inherent")]
trait Missing {
    fn get_value(&self) -> f64 {
        f64::NAN
    }

    fn value(&self) -> f64 {
        f64::NAN
    }
}

impl Missing for Counter {}
impl Missing for Gauge {}

/// The number of a counter's or a gauge's sample.
pub(crate) fn value(kind: MetricType, metric: &Metric) -> f64 {
    let (one, other) = match kind {
        MetricType::COUNTER => (metric.get_counter().get_value(), metric.get_counter().value()),
        _ => (metric.get_gauge().get_value(), metric.get_gauge().value()),
    };
    if one.is_nan() { other } else { one }
}
