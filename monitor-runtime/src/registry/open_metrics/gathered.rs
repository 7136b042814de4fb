//! Families that `prometheus` gathered.

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary};

use super::super::gathered::{check, values};
use super::super::labels::escape_into;
use super::number::{canonical, plain};
use super::{Names, write_header};

/// Appends a family, or nothing of it.
///
/// # Errors
///
/// When it is of no type, or has nothing in it.
pub(crate) fn write(
    names: &Names<'_>,
    family: &MetricFamily,
    out: &mut Vec<u8>,
) -> Result<(), prometheus::Error> {
    check(family)?;
    let (name, kind) = (family.name(), family.get_field_type());
    let values = match kind {
        MetricType::COUNTER | MetricType::GAUGE => values(family)?,
        _ => Vec::new(),
    };
    let header = match kind {
        MetricType::COUNTER => names.counter(name),
        MetricType::HISTOGRAM => (name, "histogram"),
        MetricType::SUMMARY => (name, "summary"),
        _ => (name, "gauge"),
    };
    write_header(out, header, family.help());
    let mut values = values.into_iter();
    for metric in family.get_metric() {
        let mut lines = Lines { name, metric, out };
        match kind {
            MetricType::HISTOGRAM => lines.histogram(metric.get_histogram()),
            MetricType::SUMMARY => lines.summary(metric.get_summary()),
            _ => lines.line("", None, &plain(values.next().unwrap_or(f64::NAN))),
        }
    }
    Ok(())
}

/// The lines of one label set.
struct Lines<'a> {
    name: &'a str,
    metric: &'a Metric,
    out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    fn histogram(&mut self, histogram: &Histogram) {
        let mut is_whole = false;
        for bucket in histogram.get_bucket() {
            let bound = bucket.upper_bound();
            is_whole |= bound == f64::INFINITY;
            self.line("_bucket", Some(("le", &canonical(bound))), &bucket.cumulative_count().to_string());
        }
        let count = histogram.get_sample_count().to_string();
        if !is_whole {
            self.line("_bucket", Some(("le", "+Inf")), &count);
        }
        self.line("_sum", None, &plain(histogram.get_sample_sum()));
        self.line("_count", None, &count);
    }

    fn summary(&mut self, summary: &Summary) {
        for quantile in summary.get_quantile() {
            self.line("", Some(("quantile", &canonical(quantile.quantile()))), &plain(quantile.value()));
        }
        self.line("_sum", None, &plain(summary.sample_sum()));
        self.line("_count", None, &summary.sample_count().to_string());
    }

    fn line(&mut self, suffix: &str, extra: Option<(&str, &str)>, value: &str) {
        let mut line = format!("{}{suffix}", self.name);
        let own = self.metric.get_label().iter().map(|pair: &LabelPair| (pair.name(), pair.value()));
        let mut separator = '{';
        for (name, value) in own.chain(extra) {
            line.push(std::mem::replace(&mut separator, ','));
            line.push_str(name);
            line.push_str("=\"");
            escape_into(&mut line, value);
            line.push('"');
        }
        line.push_str(if separator == '{' { " " } else { "} " });
        line.push_str(value);
        let millis = self.metric.timestamp_ms();
        if millis != 0 {
            let sign = if millis < 0 { "-" } else { "" };
            let millis = millis.unsigned_abs();
            let time = format!(" {sign}{}.{:03}", millis / 1_000, millis % 1_000);
            line.push_str(&time);
        }
        line.push('\n');
        self.out.extend_from_slice(line.as_bytes());
    }
}
