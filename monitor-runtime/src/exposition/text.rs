//! The Prometheus text format, version 0.0.4, written straight from the cells.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use prometheus::proto::{MetricFamily, MetricType};

use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::cells::number::plain;
use crate::exposition::foreign_text::{Style, write_samples};
use crate::families::catalog::Metric;
use crate::families::snapshot::{ExtraLabel, MetricSnapshot, Sample, Sink};

/// Appends the header and the samples of a metric; nothing if it has no series.
pub(crate) fn write(shown: &MetricSnapshot, out: &mut Vec<u8>) {
    let Metric { name, kind, help, .. } = shown.metric;
    let start = out.len();
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind.as_str(), "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let header_end = out.len();
    shown.encode(&mut TextSink::new(name, out));
    if out.len() == header_end {
        out.truncate(start);
    }
}

/// Appends a family that `prometheus` gathered.
pub(crate) fn write_gathered(family: &MetricFamily, out: &mut Vec<u8>) {
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::GAUGE | MetricType::UNTYPED => "gauge",
    };
    let (name, help) = (family.name(), family.help());
    let mut append = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    if help.contains(['\\', '\n']) {
        append(&["# HELP ", name, " ", &help.replace('\\', "\\\\").replace('\n', "\\n"), "\n"]);
    } else if !help.is_empty() {
        append(&["# HELP ", name, " ", help, "\n"]);
    }
    append(&["# TYPE ", name, " ", kind, "\n"]);
    write_samples(Style::Text, family, out);
}

/// Writes the samples of one metric.
struct TextSink<'o> {
    name: &'static str,
    /// The sample names of a histogram, formatted for its first series.
    names: Option<[String; 3]>,
    out: &'o mut Vec<u8>,
    /// The start of each bucket's line, up to its bound.
    prefix: Vec<u8>,
}

impl Sink for TextSink<'_> {
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>) {
        match sample {
            Sample::Counter(value) | Sample::Gauge(value) => {
                open(self.out, self.name, labels, closed(labels, extra));
                integer(self.out, value);
                self.out.push(b'\n');
            }
            Sample::Nanos(nanos) => {
                open(self.out, self.name, labels, closed(labels, extra));
                seconds(self.out, nanos);
                self.out.push(b'\n');
            }
            Sample::Decimal(value) => {
                open(self.out, self.name, labels, closed(labels, extra));
                self.out.extend_from_slice(plain(value).as_bytes());
                self.out.push(b'\n');
            }
            Sample::Histogram(reading) => self.histogram(labels, extra, reading),
        }
    }
}

impl<'o> TextSink<'o> {
    fn new(name: &'static str, out: &'o mut Vec<u8>) -> Self {
        Self { name, names: None, out, prefix: Vec::new() }
    }

    fn histogram(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, reading: HistogramSnapshot<'_>) {
        let Self { name, names, out, prefix } = self;
        let suffixed = || ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}"));
        let [bucket, sum, count] = names.get_or_insert_with(suffixed);
        prefix.clear();
        open(prefix, bucket, labels, opened(labels, extra));
        for (bound, &count) in reading.buckets.bounds().iter().zip(reading.cumulative()) {
            out.extend_from_slice(prefix);
            out.extend_from_slice(bound.as_bytes());
            integer(out, count);
            out.push(b'\n');
        }
        open(out, sum, labels, closed(labels, extra));
        seconds(out, reading.sum_nanos());
        out.push(b'\n');
        open(out, count, labels, closed(labels, extra));
        integer(out, reading.count());
        out.push(b'\n');
    }
}

/// Appends `name{a="…"`, then the text `behind`.
pub(crate) fn open(out: &mut Vec<u8>, name: &str, labels: &Labels, behind: &str) {
    for part in [name, labels.text(), behind] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The text between a series' labels and its value.
pub(crate) fn closed(labels: &Labels, extra: Option<&ExtraLabel>) -> &'static str {
    match extra {
        Some(extra) => extra.closed,
        None if labels.text().is_empty() => " ",
        None => "} ",
    }
}

/// The text between a series' labels and another label.
pub(crate) fn opened(labels: &Labels, extra: Option<&ExtraLabel>) -> &'static str {
    match extra {
        Some(extra) => extra.open,
        None if labels.text().is_empty() => "{",
        None => ",",
    }
}

#[inline]
pub(crate) fn integer(out: &mut Vec<u8>, value: u64) {
    // Most cells are 0 or small.
    match u8::try_from(value) {
        Ok(digit @ 0..=9) => out.push(b'0' + digit),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// Appends nanoseconds as exact decimal seconds.
pub(crate) fn seconds(out: &mut Vec<u8>, nanos: u64) {
    const BILLION: u64 = 1_000_000_000;
    integer(out, nanos / BILLION);
    let fraction = nanos % BILLION;
    if fraction > 0 {
        out.push(b'.');
        // Adding a leading 1 keeps the fraction's leading zeros; the 1 is cut off.
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(BILLION + fraction)[1..].trim_end_matches('0').as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::cells::buckets::Buckets;
    use crate::cells::index::Series as _;
    use crate::families::Outcome;
    use crate::families::call_series::CallSeries;
    use crate::families::calls_snapshot::CallsSnapshot;
    use crate::families::catalog;

    #[test]
    fn one_series_is_written_as_the_format_wants_it() {
        let buckets: &'static Buckets = Box::leak(Box::new(Buckets::new(&[0.5, 1.0, 2.5])));
        let series: &'static CallSeries =
            Box::leak(Box::new(CallSeries::new(Labels::new(&["agent_id"], &["a\\b\"c\nd"]), buckets)));
        for (outcome, nanos) in [
            (Outcome::Success, 500_000_000),
            (Outcome::Success, 500_000_001),
            (Outcome::Error, 3_000_000_000),
        ] {
            series.start();
            series.record(outcome, nanos, &|| None);
        }
        series.start();

        let readings = Rc::new(CallsSnapshot::of(vec![series]));
        let mut out = Vec::new();
        for shown in [
            MetricSnapshot::new(&catalog::AGENT_ACTIVE, Rc::clone(&readings), CallsSnapshot::encode_active),
            MetricSnapshot::new(
                &catalog::AGENT_DURATION,
                Rc::clone(&readings),
                CallsSnapshot::encode_durations,
            ),
            MetricSnapshot::new(&catalog::AGENT_EXECUTIONS, readings, CallsSnapshot::encode_totals),
        ] {
            write(&shown, &mut out);
        }
        let golden = r#"# HELP active_agents Agent executions that have started and not yet ended.
# TYPE active_agents gauge
active_agents{agent_id="a\\b\"c\nd"} 1
# HELP agent_execution_duration_seconds Time from an agent execution's start to its end, by outcome.
# TYPE agent_execution_duration_seconds histogram
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="error",le="0.5"} 0
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="error",le="1"} 0
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="error",le="2.5"} 0
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="error",le="+Inf"} 1
agent_execution_duration_seconds_sum{agent_id="a\\b\"c\nd",status="error"} 3
agent_execution_duration_seconds_count{agent_id="a\\b\"c\nd",status="error"} 1
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="0.5"} 1
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="1"} 2
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="2.5"} 2
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="+Inf"} 2
agent_execution_duration_seconds_sum{agent_id="a\\b\"c\nd",status="success"} 1.000000001
agent_execution_duration_seconds_count{agent_id="a\\b\"c\nd",status="success"} 2
# HELP agent_executions_total Agent executions that ended, by outcome.
# TYPE agent_executions_total counter
agent_executions_total{agent_id="a\\b\"c\nd",status="cancelled"} 0
agent_executions_total{agent_id="a\\b\"c\nd",status="error"} 1
agent_executions_total{agent_id="a\\b\"c\nd",status="panic"} 0
agent_executions_total{agent_id="a\\b\"c\nd",status="success"} 2
"#;
        assert_eq!(String::from_utf8(out).unwrap(), golden);
    }
}
