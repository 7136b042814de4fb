//! The Prometheus text format, version 0.0.4, written straight from the cells.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use super::histogram::Reading;
use super::labels::Labels;
use super::sink::{ExtraLabel, Sample, Sink};
use crate::catalog::Metric;

/// One metric's lines.
#[derive(Debug)]
pub(crate) struct TextFamily {
    metric: &'static Metric,
    samples: Vec<u8>,
}

impl Sink for TextFamily {
    fn new(metric: &'static Metric) -> Self {
        Self { metric, samples: Vec::new() }
    }

    fn push(&mut self, labels: &Labels, extra: ExtraLabel<'_>, sample: Sample<'_>) {
        match sample {
            Sample::Counter(value) | Sample::Gauge(value) => self.line("", labels, extra, value),
            Sample::Histogram(reading) => self.histogram(labels, extra, reading),
        }
    }
}

impl TextFamily {
    pub(crate) fn name(&self) -> &'static str {
        self.metric.name
    }

    /// Appends the header and the lines, or nothing when there are none.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        if self.samples.is_empty() {
            return;
        }
        let Metric { name, kind, help, .. } = self.metric;
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind.as_str(), "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(&self.samples);
    }

    fn histogram(&mut self, labels: &Labels, extra: ExtraLabel<'_>, reading: &Reading) {
        for (le, count) in reading.buckets.le_text().iter().zip(&reading.cumulative) {
            self.open("_bucket", labels, extra);
            self.raw(if labels.text().is_empty() && extra.is_none() { "{" } else { "," });
            self.raw(le);
            self.integer(*count);
            self.raw("\n");
        }
        self.open("_sum", labels, extra);
        self.close(labels, extra);
        self.seconds(reading.sum_nanos);
        self.line("_count", labels, extra, reading.count());
    }

    fn line(&mut self, suffix: &str, labels: &Labels, extra: ExtraLabel<'_>, value: u64) {
        self.open(suffix, labels, extra);
        self.close(labels, extra);
        self.integer(value);
        self.raw("\n");
    }

    /// `name{a="…",status="…"`, or the bare name without labels.
    fn open(&mut self, suffix: &str, labels: &Labels, extra: ExtraLabel<'_>) {
        self.raw(self.metric.name);
        self.raw(suffix);
        if !labels.text().is_empty() {
            self.raw("{");
            self.raw(labels.text());
        }
        if let Some((name, value)) = extra {
            self.raw(if labels.text().is_empty() { "{" } else { "," });
            for part in [name, "=\"", value, "\""] {
                self.raw(part);
            }
        }
    }

    fn close(&mut self, labels: &Labels, extra: ExtraLabel<'_>) {
        self.raw(if labels.text().is_empty() && extra.is_none() { " " } else { "} " });
    }

    fn raw(&mut self, text: &str) {
        self.samples.extend_from_slice(text.as_bytes());
    }

    fn integer(&mut self, value: u64) {
        self.samples.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Nanoseconds as exact decimal seconds.
    fn seconds(&mut self, nanos: u64) {
        self.integer(nanos / 1_000_000_000);
        let fraction = format!("{:09}", nanos % 1_000_000_000);
        let digits = fraction.trim_end_matches('0');
        if !digits.is_empty() {
            self.raw(".");
            self.raw(digits);
        }
        self.raw("\n");
    }
}

#[cfg(all(test, feature = "health"))]
mod tests {
    use super::super::calls::CallSeries;
    use super::super::family::Series as _;
    use super::super::histogram::Buckets;
    use super::*;
    use crate::call::Outcome;
    use crate::catalog;

    #[test]
    fn one_series_is_written_as_the_format_wants_it() {
        let buckets: &'static Buckets = Box::leak(Box::new(Buckets::new(&[0.5, 1.0, 2.5]).unwrap()));
        let series = CallSeries::new(Labels::new(&["agent_id"], &["a\\b\"c\nd"]), buckets);
        for (outcome, nanos) in [
            (Outcome::Success, 500_000_000),
            (Outcome::Success, 500_000_001),
            (Outcome::Error, 3_000_000_000),
        ] {
            series.start();
            series.end(outcome, nanos);
        }
        series.start();

        let (mut total, mut duration, mut active) = (
            TextFamily::new(&catalog::AGENT_EXECUTIONS),
            TextFamily::new(&catalog::AGENT_DURATION),
            TextFamily::new(&catalog::AGENT_ACTIVE),
        );
        series.show(&mut total, &mut duration, Some(&mut active));
        let mut out = Vec::new();
        for family in [active, duration, total] {
            family.write_to(&mut out);
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
