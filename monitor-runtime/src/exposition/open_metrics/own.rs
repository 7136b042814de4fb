//! Writes our own families straight from the cells.

use crate::cells::exemplars::Exemplar;
use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::{Labels, escape_into};
use crate::cells::number::plain;
use crate::exposition::names::Names;
use crate::exposition::open_metrics::{counter, write_header};
use crate::exposition::registry_labels::RegistryLabels;
use crate::exposition::text::{closed, integer, open, opened, seconds};
use crate::families::catalog::{Kind, Metric};
use crate::families::snapshot::{ExtraLabel, MetricSnapshot, Sample, Sink};

/// Appends the header and the samples of a metric; nothing if it has no series.
pub(crate) fn write(names: &Names, around: &RegistryLabels, shown: &MetricSnapshot, out: &mut Vec<u8>) {
    let Metric { name, kind, help, .. } = *shown.metric;
    let name = &*format!("{}{name}", around.prefix);
    let start = out.len();
    let family = if kind == Kind::Counter { counter(names, name) } else { (name, kind.as_str()) };
    write_header(out, family, help);
    let header_end = out.len();
    shown.encode(&mut LineSink { name, around: &around.text, out });
    if out.len() == header_end {
        out.truncate(start);
    }
}

/// Writes the samples of one metric.
struct LineSink<'a> {
    name: &'a str,
    /// The labels that the registry adds.
    around: &'a str,
    out: &'a mut Vec<u8>,
}

impl Sink for LineSink<'_> {
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>) {
        match sample {
            Sample::Counter(value) | Sample::Gauge(value) => self.line("", labels, extra, value),
            Sample::Nanos(nanos) => {
                self.open("", labels, closed(labels, extra));
                seconds(self.out, nanos);
                self.out.push(b'\n');
            }
            Sample::Decimal(value) => {
                self.open("", labels, closed(labels, extra));
                self.out.extend_from_slice(plain(value).as_bytes());
                self.out.push(b'\n');
            }
            Sample::Histogram(reading) => self.histogram(labels, extra, reading),
        }
    }
}

impl LineSink<'_> {
    /// Appends `name{a="…"`, with the registry's labels first, then the text `behind`.
    fn open(&mut self, suffix: &str, labels: &Labels, behind: &'static str) {
        self.out.extend_from_slice(self.name.as_bytes());
        if self.around.is_empty() {
            return open(self.out, suffix, labels, behind);
        }
        let (between, own, behind) = match labels.text().strip_prefix('{') {
            Some(own) => (",", own, behind),
            None if behind == " " => ("", "", "} "),
            None => ("", "", ","),
        };
        for part in [suffix, "{", self.around, between, own, behind] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn line(&mut self, suffix: &str, labels: &Labels, extra: Option<&ExtraLabel>, value: u64) {
        self.open(suffix, labels, closed(labels, extra));
        integer(self.out, value);
        self.out.push(b'\n');
    }

    fn histogram(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, reading: HistogramSnapshot<'_>) {
        let bounds = reading.buckets.canonical_bounds();
        for ((place, bound), &count) in bounds.iter().enumerate().zip(reading.cumulative()) {
            self.open("_bucket", labels, opened(labels, extra));
            self.out.extend_from_slice(bound.as_bytes());
            integer(self.out, count);
            reading.exemplar(place, |exemplar| write_exemplar(self.out, exemplar));
            self.out.push(b'\n');
        }
        self.open("_sum", labels, closed(labels, extra));
        seconds(self.out, reading.sum_nanos());
        self.out.push(b'\n');
        self.line("_count", labels, extra, reading.count());
    }
}

/// Appends ` # {name="value"} seconds time`.
fn write_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    let mut labels = format!(" # {{{}=\"", exemplar.identity.label);
    escape_into(&mut labels, &exemplar.identity.value);
    labels.push_str("\"} ");
    out.extend_from_slice(labels.as_bytes());
    seconds(out, exemplar.nanos);
    let taken = exemplar.taken;
    let time = format!(" {}.{:03}", taken.as_secs(), taken.subsec_millis());
    out.extend_from_slice(time.as_bytes());
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
    fn one_series_is_written_as_the_specification_wants_it() {
        let buckets: &'static Buckets = Box::leak(Box::new(Buckets::new(&[0.5, 1.0])));
        let series: &'static CallSeries =
            Box::leak(Box::new(CallSeries::new(Labels::new(&["agent_id"], &["a\\b\"c\nd"]), buckets)));
        series.start();
        series.record(Outcome::Success, 1_000_000_000, &|| None);

        let readings = Rc::new(CallsSnapshot::of(vec![series]));
        let names = Names::new(None);
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
            write(&names, &RegistryLabels::default(), &shown, &mut out);
        }
        let golden = r#"# TYPE active_agents gauge
# HELP active_agents Agent executions that have started and not yet ended.
active_agents{agent_id="a\\b\"c\nd"} 0
# TYPE agent_execution_duration_seconds histogram
# UNIT agent_execution_duration_seconds seconds
# HELP agent_execution_duration_seconds Time from an agent execution's start to its end, by outcome.
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="0.5"} 0
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="1.0"} 1
agent_execution_duration_seconds_bucket{agent_id="a\\b\"c\nd",status="success",le="+Inf"} 1
agent_execution_duration_seconds_sum{agent_id="a\\b\"c\nd",status="success"} 1
agent_execution_duration_seconds_count{agent_id="a\\b\"c\nd",status="success"} 1
# TYPE agent_executions counter
# HELP agent_executions Agent executions that ended, by outcome.
agent_executions_total{agent_id="a\\b\"c\nd",status="cancelled"} 0
agent_executions_total{agent_id="a\\b\"c\nd",status="error"} 0
agent_executions_total{agent_id="a\\b\"c\nd",status="panic"} 0
agent_executions_total{agent_id="a\\b\"c\nd",status="success"} 1
"#;
        assert_eq!(String::from_utf8(out).unwrap(), golden);
    }

    #[test]
    fn an_exemplar_stands_behind_its_buckets_count() {
        let identity = crate::cells::exemplars::Identity { label: "trace_id", value: "a\"b".into() };
        let taken = std::time::Duration::from_millis(1_700_000_000_004);
        let mut out = Vec::new();
        write_exemplar(&mut out, &Exemplar { identity, nanos: 250_000_000, taken });
        assert_eq!(String::from_utf8(out).unwrap(), r#" # {trace_id="a\"b"} 0.25 1700000000.004"#);
    }
}
