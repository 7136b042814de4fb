//! The metrics outside of hot paths, as `prometheus` types with the names of the catalogue.

use std::rc::Rc;
use std::sync::LazyLock;

use prometheus::core::Collector;
use prometheus::proto::{LabelPair, MetricFamily};
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts};

use crate::cells::labels::Labels;
use crate::families::catalog::{self, Metric};
use crate::families::prometheus_value::value;
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// The values of the label `level`, the most severe first.
pub(crate) const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The values of the label `signal` of OTLP metrics.
pub(crate) const OTLP_SIGNALS: [&str; 2] = ["traces", "metrics"];

/// The values of the label `outcome` of OTLP requests.
pub(crate) const OTLP_OUTCOMES: [&str; 3] = ["success", "rejected", "unavailable"];

/// The rarely written metrics of the process, shared by all monitors.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    pub(crate) health_duration: GaugeVec,
    pub(crate) health_last_success: GaugeVec,
    pub(crate) health_runs: IntCounterVec,
    pub(crate) health_transitions: IntCounterVec,
    pub(crate) disk_free: IntGaugeVec,
    pub(crate) disk_size: IntGaugeVec,
    pub(crate) log_events: IntCounterVec,
    pub(crate) log_written: IntCounter,
    pub(crate) log_dropped: IntCounter,
    pub(crate) log_suppressed: IntCounter,
    /// A vector without labels, so that the metric is absent until the panic hook is installed.
    panics: IntCounterVec,
    pub(crate) series_overflow: IntCounterVec,
    pub(crate) otlp_exports: IntCounterVec,
    pub(crate) otlp_dropped: IntCounterVec,
    pub(crate) connections: IntGaugeVec,
    pub(crate) connections_closed: IntCounterVec,
    pub(crate) connections_refused: IntCounterVec,
    pub(crate) build_info: IntGaugeVec,
}

/// The metrics of this process.
pub(crate) fn metrics() -> &'static ProcessMetrics {
    static METRICS: LazyLock<ProcessMetrics> = LazyLock::new(ProcessMetrics::new);
    &METRICS
}

impl ProcessMetrics {
    fn new() -> Self {
        let metrics = Self {
            health_duration: gauges(&catalog::HEALTH_DURATION),
            health_last_success: gauges(&catalog::HEALTH_LAST_SUCCESS),
            health_runs: counters(&catalog::HEALTH_RUNS),
            health_transitions: counters(&catalog::HEALTH_TRANSITIONS),
            disk_free: whole_gauges(&catalog::DISK_FREE),
            disk_size: whole_gauges(&catalog::DISK_SIZE),
            log_events: counters(&catalog::LOG_EVENTS),
            log_written: named(IntCounter::with_opts(opts(&catalog::LOG_WRITTEN))),
            log_dropped: named(IntCounter::with_opts(opts(&catalog::LOG_DROPPED))),
            log_suppressed: named(IntCounter::with_opts(opts(&catalog::LOG_SUPPRESSED))),
            panics: counters(&catalog::PANICS),
            series_overflow: counters(&catalog::SERIES_OVERFLOW),
            otlp_exports: counters(&catalog::OTLP_EXPORTS),
            otlp_dropped: counters(&catalog::OTLP_DROPPED),
            connections: whole_gauges(&catalog::HTTP_CONNECTIONS),
            connections_closed: counters(&catalog::HTTP_CONNECTIONS_CLOSED),
            connections_refused: counters(&catalog::HTTP_CONNECTIONS_REFUSED),
            build_info: whole_gauges(&catalog::BUILD_INFO),
        };
        // Counters start at 0, so that `rate()` sees the first event.
        for level in LEVELS {
            metrics.log_events.with_label_values(&[level]);
        }
        for signal in OTLP_SIGNALS {
            metrics.otlp_dropped.with_label_values(&[signal]);
            for outcome in OTLP_OUTCOMES {
                metrics.otlp_exports.with_label_values(&[outcome, signal]);
            }
        }
        metrics
    }

    /// The counter of panics, which is exposed from the first call on.
    pub(crate) fn panics(&self) -> IntCounter {
        self.panics.with_label_values(&[] as &[&str])
    }

    /// Reads all metrics that the features of this build write.
    pub(crate) fn read(&self) -> Vec<MetricSnapshot> {
        let mut all = vec![
            decimals(&catalog::HEALTH_DURATION, &self.health_duration),
            decimals(&catalog::HEALTH_LAST_SUCCESS, &self.health_last_success),
            counts(&catalog::HEALTH_RUNS, &self.health_runs),
            counts(&catalog::HEALTH_TRANSITIONS, &self.health_transitions),
            levels(&catalog::DISK_FREE, &self.disk_free),
            levels(&catalog::DISK_SIZE, &self.disk_size),
            counts(&catalog::LOG_EVENTS, &self.log_events),
            counts(&catalog::LOG_WRITTEN, &self.log_written),
            counts(&catalog::LOG_DROPPED, &self.log_dropped),
            counts(&catalog::LOG_SUPPRESSED, &self.log_suppressed),
            counts(&catalog::PANICS, &self.panics),
            counts(&catalog::SERIES_OVERFLOW, &self.series_overflow),
            levels(&catalog::BUILD_INFO, &self.build_info),
        ];
        if cfg!(feature = "otlp") {
            all.push(counts(&catalog::OTLP_EXPORTS, &self.otlp_exports));
            all.push(counts(&catalog::OTLP_DROPPED, &self.otlp_dropped));
        }
        if cfg!(feature = "http") {
            all.push(levels(&catalog::HTTP_CONNECTIONS, &self.connections));
            all.push(counts(&catalog::HTTP_CONNECTIONS_CLOSED, &self.connections_closed));
            all.push(counts(&catalog::HTTP_CONNECTIONS_REFUSED, &self.connections_refused));
        }
        all
    }
}

fn counts(metric: &'static Metric, collector: &impl Collector) -> MetricSnapshot {
    read_from(metric, collector, |value| Sample::Counter(whole(value)))
}

/// Reads gauges with whole values that are never negative.
fn levels(metric: &'static Metric, collector: &impl Collector) -> MetricSnapshot {
    read_from(metric, collector, |value| Sample::Gauge(whole(value)))
}

fn decimals(metric: &'static Metric, collector: &impl Collector) -> MetricSnapshot {
    read_from(metric, collector, Sample::Decimal)
}

/// Converts a value back to an integer: `prometheus` exposes integers as floats, which are exact below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and not below 0")]
fn whole(value: f64) -> u64 {
    value as u64
}

/// The sum over all series of counters.
#[cfg(feature = "runs")]
pub(crate) fn sum(counters: &IntCounterVec) -> u64 {
    let families = counters.collect();
    let metrics = families.iter().flat_map(|family| {
        let kind = family.get_field_type();
        family.get_metric().iter().map(move |sample| whole(value(kind, sample)))
    });
    metrics.sum()
}

/// Reads a metric of a `prometheus` type, its series sorted by label values.
fn read_from(
    metric: &'static Metric,
    collector: &impl Collector,
    sample: fn(f64) -> Sample<'static>,
) -> MetricSnapshot {
    let families = collector.collect();
    let mut series: Vec<_> = families.iter().flat_map(|family| read_family(metric, family)).collect();
    series.sort_by(|(one, _), (other, _)| one.values().cmp(other.values()));
    MetricSnapshot::new(metric, Rc::new(series), move |series: &Vec<(Labels, f64)>, sink: &mut dyn Sink| {
        for (labels, value) in series {
            sink.push(labels, None, sample(*value));
        }
    })
}

fn read_family(metric: &Metric, family: &MetricFamily) -> impl Iterator<Item = (Labels, f64)> {
    let kind = family.get_field_type();
    family.get_metric().iter().map(move |sample| {
        // The catalogue sorts the label names of these metrics, as `prometheus` does.
        let values: Vec<_> = sample.get_label().iter().map(LabelPair::value).collect();
        (Labels::new(metric.labels, &values), value(kind, sample))
    })
}

fn opts(metric: &Metric) -> Opts {
    Opts::new(metric.name, metric.help)
}

fn gauges(metric: &Metric) -> GaugeVec {
    named(GaugeVec::new(opts(metric), metric.labels))
}

fn whole_gauges(metric: &Metric) -> IntGaugeVec {
    named(IntGaugeVec::new(opts(metric), metric.labels))
}

fn counters(metric: &Metric) -> IntCounterVec {
    named(IntCounterVec::new(opts(metric), metric.labels))
}

/// Unwraps a new metric. The catalogue checks names at compile time, so `prometheus` accepts all of them.
fn named<T>(made: Result<T, prometheus::Error>) -> T {
    made.unwrap_or_else(|error| unreachable!("the catalogue holds a name prometheus refuses: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_names_are_sorted_as_prometheus_gives_their_values() {
        for snapshot in metrics().read() {
            assert!(snapshot.metric.labels.is_sorted(), "{}", snapshot.metric.name);
        }
    }
}
