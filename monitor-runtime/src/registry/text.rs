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
