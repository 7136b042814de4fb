//! What `prometheus` gathered, read alike whatever features that crate was built with.

use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{Encoder as _, TextEncoder};

/// The values of a counter's or a gauge's samples, in their order.
///
/// They are read from the text form: the accessors for them go by another name where somebody turned on `prometheus/protobuf`.
pub(super) fn values(family: &MetricFamily) -> Result<Vec<f64>, prometheus::Error> {
    let mut text = Vec::new();
    TextEncoder::new().encode(std::slice::from_ref(family), &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let samples = text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'));
    let values = samples.zip(family.get_metric()).map(|(line, metric)| value(line, metric));
    values.collect()
}

fn value(line: &str, metric: &Metric) -> Result<f64, prometheus::Error> {
    let behind = usize::from(metric.timestamp_ms() != 0);
    let value = line.rsplit(' ').nth(behind).and_then(|value| value.parse().ok());
    value.ok_or_else(|| prometheus::Error::Msg(format!("no value in {line:?}")))
}

/// Refuses a family that no form can show.
pub(super) fn check(family: &MetricFamily) -> Result<(), prometheus::Error> {
    let refuse = |reason: &str| Err(prometheus::Error::Msg(reason.to_owned()));
    if family.name().is_empty() {
        return refuse("it has no name");
    }
    if family.get_metric().is_empty() {
        return refuse("it has no samples");
    }
    if family.get_field_type() == MetricType::UNTYPED {
        return refuse("untyped metrics have no encoding; make it a gauge");
    }
    Ok(())
}
