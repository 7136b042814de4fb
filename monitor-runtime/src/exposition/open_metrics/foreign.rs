//! Writes gathered families.

use prometheus::proto::{MetricFamily, MetricType};

use crate::exposition::foreign_text::{Style, write_samples};
use crate::exposition::names::Names;
use crate::exposition::open_metrics::{counter, write_header};

/// Appends a family.
pub(crate) fn write(names: &Names, family: &MetricFamily, out: &mut Vec<u8>) {
    let name = family.name();
    let header = match family.get_field_type() {
        MetricType::COUNTER => counter(names, name),
        MetricType::HISTOGRAM => (name, "histogram"),
        MetricType::SUMMARY => (name, "summary"),
        MetricType::GAUGE | MetricType::UNTYPED => (name, "gauge"),
    };
    write_header(out, header, family.help());
    write_samples(Style::OpenMetrics, family, out);
}
