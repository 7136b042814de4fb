//! The Prometheus text format, version 0.0.4, written straight from the cells.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use super::histogram::Reading;
use super::labels::Labels;
use super::sink::{ExtraLabel, Sample, Shown, Sink};
use crate::catalog::Metric;

/// Appends a metric's header and its lines, or nothing when it has no series.
pub(crate) fn write(shown: &Shown, out: &mut Vec<u8>) {
    let Metric { name, kind, help, .. } = shown.metric;
    let start = out.len();
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind.as_str(), "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let header_end = out.len();
    shown.to(&mut TextSink { name, out, prefix: Vec::new() });
    if out.len() == header_end {
        out.truncate(start);
    }
}

/// The lines of one metric.
struct TextSink<'o> {
    name: &'static str,
    out: &'o mut Vec<u8>,
    /// What the lines of a histogram begin with, up to the bound.
    prefix: Vec<u8>,
}

impl Sink for TextSink<'_> {
    fn push(&mut self, labels: &Labels, extra: ExtraLabel<'_>, sample: Sample<'_>) {
        match sample {
            Sample::Counter(value) | Sample::Gauge(value) => self.line("", labels, extra, value),
            Sample::Histogram(reading) => self.histogram(labels, extra, reading),
        }
    }
}

impl TextSink<'_> {
    fn histogram(&mut self, labels: &Labels, extra: ExtraLabel<'_>, reading: Reading<'_>) {
        self.prefix.clear();
        open(&mut self.prefix, self.name, "_bucket", labels, extra);
        self.prefix.push(if labels.text().is_empty() && extra.is_none() { b'{' } else { b',' });
        for (le, &count) in reading.buckets.le_text().iter().zip(reading.cumulative) {
            self.out.extend_from_slice(&self.prefix);
            self.out.extend_from_slice(le.as_bytes());
            integer(self.out, count);
            self.out.push(b'\n');
        }
        self.open("_sum", labels, extra);
        seconds(self.out, reading.sum_nanos);
        self.line("_count", labels, extra, reading.count());
    }

    fn line(&mut self, suffix: &str, labels: &Labels, extra: ExtraLabel<'_>, value: u64) {
        self.open(suffix, labels, extra);
        integer(self.out, value);
        self.out.push(b'\n');
    }

    /// All of a line that stands before its value.
    fn open(&mut self, suffix: &str, labels: &Labels, extra: ExtraLabel<'_>) {
        open(self.out, self.name, suffix, labels, extra);
        let end = if labels.text().is_empty() && extra.is_none() { " " } else { "} " };
        self.out.extend_from_slice(end.as_bytes());
    }
}

/// `name{a="…",status="…"`, or the bare name without labels.
fn open(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &Labels, extra: ExtraLabel<'_>) {
    let labels = labels.text();
    let before = if labels.is_empty() { "" } else { "{" };
    for part in [name, suffix, before, labels] {
        out.extend_from_slice(part.as_bytes());
    }
    if let Some((name, value)) = extra {
        let before = if labels.is_empty() { "{" } else { "," };
        for part in [before, name, "=\"", value, "\""] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Nanoseconds as exact decimal seconds, and the end of the line.
fn seconds(out: &mut Vec<u8>, nanos: u64) {
    const BILLION: u64 = 1_000_000_000;
    integer(out, nanos / BILLION);
    let fraction = nanos % BILLION;
    if fraction > 0 {
        // Nine digits behind a one keep their leading zeros.
        let point = out.len();
        integer(out, BILLION + fraction);
        out[point] = b'.';
        let end = out.iter().rposition(|&digit| digit != b'0').map_or(point, |last| last + 1);
        out.truncate(end);
    }
    out.push(b'\n');
}

#[cfg(all(test, feature = "health"))]
mod tests {
    use std::rc::Rc;

    use super::super::calls::{CallSeries, Readings};
    use super::super::family::Series as _;
    use super::super::histogram::Buckets;
    use super::*;
    use crate::call::Outcome;
    use crate::catalog;

    #[test]
    fn one_series_is_written_as_the_format_wants_it() {
        let buckets: &'static Buckets = Box::leak(Box::new(Buckets::new(&[0.5, 1.0, 2.5]).unwrap()));
        let series: &'static CallSeries =
            Box::leak(Box::new(CallSeries::new(Labels::new(&["agent_id"], &["a\\b\"c\nd"]), buckets)));
        for (outcome, nanos) in [
            (Outcome::Success, 500_000_000),
            (Outcome::Success, 500_000_001),
            (Outcome::Error, 3_000_000_000),
        ] {
            series.start();
            series.end(outcome, nanos);
        }
        series.start();

        let readings = Rc::new(Readings::of(vec![series]));
        let mut out = Vec::new();
        for shown in [
            Shown::new(&catalog::AGENT_ACTIVE, Rc::clone(&readings), Readings::show_active),
            Shown::new(&catalog::AGENT_DURATION, Rc::clone(&readings), Readings::show_durations),
            Shown::new(&catalog::AGENT_EXECUTIONS, readings, Readings::show_totals),
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
