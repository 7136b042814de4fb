//! `io.prometheus.client.MetricFamily` messages, each with its length in front.
//! <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>
//!
//! Written by hand, since the messages of the `prometheus` crate support neither exemplars nor native histograms.

mod foreign;
mod own;
mod wire;

pub(crate) use foreign::write as write_gathered;
pub(crate) use own::write as write_own;

use wire::Message;

/// The numbers of the enum `MetricType`.
#[derive(Clone, Copy)]
enum Type {
    Counter = 0,
    Gauge = 1,
    Summary = 2,
    Histogram = 4,
}

/// Appends a `MetricFamily`; `metrics` writes its samples.
fn write_family(
    out: &mut Vec<u8>,
    (name, help, kind): (&str, &str, Type),
    metrics: impl FnOnce(&mut Message<'_>),
) {
    wire::delimited(out, |family| {
        family.text(1, name);
        family.text(2, help);
        family.unsigned(3, kind as u64);
        metrics(family);
    });
}

/// Writes the field `label` of a `Metric` or an `Exemplar`.
fn write_label(message: &mut Message<'_>, name: &str, value: &str) {
    message.nested(1, |pair| {
        pair.text(1, name);
        pair.text(2, value);
    });
}

/// Writes the field of a `Metric` that holds a gauge or a counter.
fn write_value(metric: &mut Message<'_>, kind: Type, value: f64) {
    let field = match kind {
        Type::Counter => 3,
        _ => 2,
    };
    metric.nested(field, |message| message.double(1, value));
}
