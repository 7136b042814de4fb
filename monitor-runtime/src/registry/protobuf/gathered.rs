//! Families that `prometheus` gathered.

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType, Summary};

use super::super::gathered::{check, values};
use super::wire::Message;
use super::{Type, write_family, write_label, write_value};

/// Appends a family, or nothing of it.
///
/// # Errors
///
/// When it is of no type, or has nothing in it.
pub(crate) fn write(family: &MetricFamily, out: &mut Vec<u8>) -> Result<(), prometheus::Error> {
    check(family)?;
    let (kind, values) = match family.get_field_type() {
        MetricType::COUNTER => (Type::Counter, values(family)?),
        MetricType::SUMMARY => (Type::Summary, Vec::new()),
        MetricType::HISTOGRAM => (Type::Histogram, Vec::new()),
        _ => (Type::Gauge, values(family)?),
    };
    write_family(out, (family.name(), family.help(), kind), |message| {
        let mut values = values.into_iter();
        for metric in family.get_metric() {
            message.nested(4, |message| write_metric(message, kind, metric, values.next()));
        }
    });
    Ok(())
}

fn write_metric(message: &mut Message<'_>, kind: Type, metric: &Metric, value: Option<f64>) {
    for pair in metric.get_label() {
        write_label(message, pair.name(), pair.value());
    }
    match kind {
        Type::Summary => message.nested(4, |message| summary(message, metric.get_summary())),
        Type::Histogram => message.nested(7, |message| histogram(message, metric.get_histogram())),
        Type::Counter | Type::Gauge => write_value(message, kind, value.unwrap_or(f64::NAN)),
    }
    if metric.timestamp_ms() != 0 {
        message.signed(6, metric.timestamp_ms());
    }
}

fn summary(message: &mut Message<'_>, summary: &Summary) {
    message.unsigned(1, summary.sample_count());
    message.double(2, summary.sample_sum());
    for quantile in summary.get_quantile() {
        message.nested(3, |message| {
            message.double(1, quantile.quantile());
            message.double(2, quantile.value());
        });
    }
}

fn histogram(message: &mut Message<'_>, histogram: &Histogram) {
    message.unsigned(1, histogram.get_sample_count());
    message.double(2, histogram.get_sample_sum());
    for bucket in histogram.get_bucket() {
        message.nested(3, |message| {
            message.unsigned(1, bucket.cumulative_count());
            message.double(2, bucket.upper_bound());
        });
    }
}
