//! Families that `prometheus` gathered.

use prometheus::proto::{MetricFamily, MetricType};

use super::super::lines::{Style, write_samples};
use super::super::names::Names;
use super::{counter, write_header};

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
