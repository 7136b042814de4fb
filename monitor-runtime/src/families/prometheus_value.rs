//! Reads the value of a `prometheus` sample, whatever features that crate was built with.

use prometheus::proto::{Counter, Gauge, Metric, MetricType};

/// The value's accessor has another name if some crate enables `prometheus/protobuf`. This trait supplies the name that
/// the type lacks; for the other one, the inherent method wins.
#[allow(dead_code, reason = "one of the two is an inherent method")]
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

/// The value of a counter's or a gauge's sample.
pub(crate) fn value(kind: MetricType, metric: &Metric) -> f64 {
    let (one, other) = match kind {
        MetricType::COUNTER => (metric.get_counter().get_value(), metric.get_counter().value()),
        _ => (metric.get_gauge().get_value(), metric.get_gauge().value()),
    };
    if one.is_nan() { other } else { one }
}
