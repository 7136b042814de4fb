//! Writes gathered families in the two text formats.

use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary};

use crate::cells::labels::escape_into;
use crate::cells::number::{canonical, plain};
use crate::families::prometheus_value::value;

/// The differences between the two text formats.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Text,
    OpenMetrics,
}

impl Style {
    /// Formats a number in a label.
    fn bound(self, number: f64) -> String {
        match self {
            Self::Text => plain(number),
            Self::OpenMetrics => canonical(number),
        }
    }

    /// Formats a timestamp, which must not be before 1970.
    fn time(self, millis: i64) -> String {
        match self {
            Self::Text => format!(" {millis}"),
            Self::OpenMetrics => format!(" {}.{:03}", millis / 1_000, millis % 1_000),
        }
    }

    /// Whether the sum may be shown. In OpenMetrics a sum is a counter, so a negative one is left out.
    fn takes_sum(self, sum: f64) -> bool {
        match self {
            Self::Text => true,
            Self::OpenMetrics => sum >= 0.0,
        }
    }

    /// Whether the format allows a histogram with this lowest bound, or a summary with this quantile value; see
    /// [`takes_sum`](Self::takes_sum).
    fn takes_value(self, value: f64) -> bool {
        match self {
            Self::Text => true,
            // A quantile without observations is `NaN`.
            Self::OpenMetrics => value >= 0.0 || value.is_nan(),
        }
    }
}

/// Appends all samples of a family.
pub(crate) fn write_samples(style: Style, family: &MetricFamily, out: &mut Vec<u8>) {
    let (name, kind) = (family.name(), family.get_field_type());
    for metric in family.get_metric() {
        let mut lines = Lines { style, name, metric, out };
        match kind {
            MetricType::HISTOGRAM => lines.histogram(metric.get_histogram()),
            MetricType::SUMMARY => lines.summary(metric.get_summary()),
            MetricType::COUNTER | MetricType::GAUGE | MetricType::UNTYPED => {
                lines.line("", None, &plain(value(kind, metric)));
            }
        }
    }
}

/// Writes the lines of one label set.
struct Lines<'a> {
    style: Style,
    name: &'a str,
    metric: &'a Metric,
    out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    fn histogram(&mut self, histogram: &Histogram) {
        let (style, buckets) = (self.style, histogram.get_bucket());
        for bucket in buckets {
            let bound = style.bound(bucket.upper_bound());
            self.line("_bucket", Some(("le", &bound)), &bucket.cumulative_count().to_string());
        }
        let count = histogram.get_sample_count().to_string();
        if !buckets.iter().any(|bucket| bucket.upper_bound() == f64::INFINITY) {
            self.line("_bucket", Some(("le", "+Inf")), &count);
        }
        let sum = histogram.get_sample_sum();
        let lowest = buckets.first().map_or(0.0, Bucket::upper_bound);
        // Readers expect both or neither. The bucket `+Inf` holds the count as well.
        if style.takes_sum(sum) && style.takes_value(lowest) {
            self.line("_sum", None, &plain(sum));
            self.line("_count", None, &count);
        }
    }

    fn summary(&mut self, summary: &Summary) {
        let style = self.style;
        for quantile in summary.get_quantile().iter().filter(|quantile| style.takes_value(quantile.value())) {
            let rank = style.bound(quantile.quantile());
            self.line("", Some(("quantile", &rank)), &plain(quantile.value()));
        }
        if style.takes_sum(summary.sample_sum()) {
            self.line("_sum", None, &plain(summary.sample_sum()));
        }
        self.line("_count", None, &summary.sample_count().to_string());
    }

    fn line(&mut self, suffix: &str, extra: Option<(&str, &str)>, value: &str) {
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        let own = self.metric.get_label().iter().map(|pair: &LabelPair| (pair.name(), pair.value()));
        let mut separator = b'{';
        for (name, value) in own.chain(extra) {
            self.out.push(std::mem::replace(&mut separator, b','));
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"=\"");
            append_escaped(self.out, value);
            self.out.push(b'"');
        }
        self.out.extend_from_slice(if separator == b'{' { b" " } else { b"} " });
        self.out.extend_from_slice(value.as_bytes());
        if self.metric.timestamp_ms() != 0 {
            self.out.extend_from_slice(self.style.time(self.metric.timestamp_ms()).as_bytes());
        }
        self.out.push(b'\n');
    }
}

/// Copies the value unless it needs escapes, which is rare.
fn append_escaped(out: &mut Vec<u8>, value: &str) {
    if value.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        let mut escaped = String::new();
        escape_into(&mut escaped, value);
        out.extend_from_slice(escaped.as_bytes());
    } else {
        out.extend_from_slice(value.as_bytes());
    }
}
