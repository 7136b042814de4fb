//! Writes gathered families.

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType, Summary};

use crate::exposition::protobuf::wire::Message;
use crate::exposition::protobuf::{Type, write_family, write_label, write_value};
use crate::families::prometheus_value::value;

/// Appends a family.
pub(crate) fn write(family: &MetricFamily, out: &mut Vec<u8>) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => Type::Counter,
        MetricType::SUMMARY => Type::Summary,
        MetricType::HISTOGRAM => Type::Histogram,
        MetricType::GAUGE | MetricType::UNTYPED => Type::Gauge,
    };
    write_family(out, (family.name(), family.help(), kind), |message| {
        for metric in family.get_metric() {
            message.nested(4, |message| write_metric(message, (kind, family.get_field_type()), metric));
        }
    });
}

fn write_metric(message: &mut Message<'_>, (kind, gathered): (Type, MetricType), metric: &Metric) {
    for pair in metric.get_label() {
        write_label(message, pair.name(), pair.value());
    }
    match kind {
        Type::Summary => message.nested(4, |message| summary(message, metric.get_summary())),
        Type::Histogram => message.nested(7, |message| histogram(message, metric.get_histogram())),
        Type::Counter | Type::Gauge => write_value(message, kind, value(gathered, metric)),
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
