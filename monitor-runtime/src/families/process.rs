//! The metrics that no hot path writes: `prometheus`' own types, named by the catalogue.

use std::sync::LazyLock;

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts};

use crate::families::catalog::{self, Metric};

/// Log levels as the `level` label shows them, most severe first.
pub(crate) const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The values of the label `signal` of OTLP's metrics.
pub(crate) const OTLP_SIGNALS: [&str; 2] = ["traces", "metrics"];

/// The values of the label `outcome` of OTLP's requests.
pub(crate) const OTLP_OUTCOMES: [&str; 3] = ["success", "rejected", "unavailable"];

/// The process's rarely written metrics, one set for all monitors.
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
    /// Without labels, as a counter that is there or not: nobody counts panics unless told to.
    panics: IntCounterVec,
    pub(crate) series_overflow: IntCounterVec,
    pub(crate) otlp_exports: IntCounterVec,
    pub(crate) otlp_dropped: IntCounterVec,
    pub(crate) connections: IntGaugeVec,
    pub(crate) connections_closed: IntCounterVec,
    pub(crate) connections_refused: IntCounterVec,
    pub(crate) build_info: IntGaugeVec,
}

/// The one set of this process.
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
                metrics.otlp_exports.with_label_values(&[signal, outcome]);
            }
        }
        metrics
    }

    /// The counter of panics, shown from the first call on.
    pub(crate) fn panics(&self) -> IntCounter {
        self.panics.with_label_values(&[] as &[&str])
    }

    /// The collectors to register, each a handle onto the same values.
    pub(crate) fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.health_duration.clone()),
            Box::new(self.health_last_success.clone()),
            Box::new(self.health_runs.clone()),
            Box::new(self.health_transitions.clone()),
            Box::new(self.disk_free.clone()),
            Box::new(self.disk_size.clone()),
            Box::new(self.log_events.clone()),
            Box::new(self.log_written.clone()),
            Box::new(self.log_dropped.clone()),
            Box::new(self.log_suppressed.clone()),
            Box::new(self.panics.clone()),
            Box::new(self.series_overflow.clone()),
            Box::new(self.otlp_exports.clone()),
            Box::new(self.otlp_dropped.clone()),
            Box::new(self.connections.clone()),
            Box::new(self.connections_closed.clone()),
            Box::new(self.connections_refused.clone()),
            Box::new(self.build_info.clone()),
        ]
    }
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

/// The catalogue checks its names at compile time, which leaves `prometheus` nothing to refuse.
fn named<T>(made: Result<T, prometheus::Error>) -> T {
    made.unwrap_or_else(|error| unreachable!("the catalogue holds a name prometheus refuses: {error}"))
}
