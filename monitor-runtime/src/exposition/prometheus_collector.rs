//! Our families in the data model of `prometheus`, for `Registry::gather`.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use prometheus::Registry;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily, MetricType};

use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::error_chain::panic_message;
use crate::exposition::registry_labels::{MARKER, RegistryLabels, pair};
use crate::families::catalog::{Kind, Metric};
use crate::families::errors;
use crate::families::objective::ObjectiveMetrics;
use crate::families::snapshot::{ExtraLabel, MetricSnapshot, Sample, Sink};
use crate::families::{models, runs};

/// Converts a metric to the data model of `prometheus`.
pub(crate) fn family(shown: &MetricSnapshot) -> MetricFamily {
    let Metric { name, kind, help, labels } = *shown.metric;
    let mut sink = ProtoSink { names: labels, samples: Vec::new() };
    shown.encode(&mut sink);
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(metric_type(kind));
    family.set_metric(sink.samples);
    family
}

pub(crate) fn metric_type(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    }
}

/// Collects the samples of one metric.
struct ProtoSink {
    names: &'static [&'static str],
    samples: Vec<proto::Metric>,
}

impl Sink for ProtoSink {
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>) {
        let own = self.names.iter().copied().zip(labels.values());
        let mut metric = proto::Metric::from_label(
            own.chain(extra.map(|extra| (extra.name, extra.value))).map(pair).collect(),
        );
        match sample {
            Sample::Counter(value) => metric.set_counter(counter(value as f64)),
            Sample::Nanos(nanos) => metric.set_counter(counter(nanos as f64 / 1e9)),
            Sample::Gauge(value) => metric.set_gauge(gauge(value as f64)),
            Sample::Decimal(value) => metric.set_gauge(gauge(value)),
            Sample::Histogram(reading) => metric.set_histogram(histogram(reading)),
        }
        self.samples.push(metric);
    }
}

fn counter(value: f64) -> proto::Counter {
    let mut counter = proto::Counter::default();
    counter.set_value(value);
    counter
}

fn gauge(value: f64) -> proto::Gauge {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(value);
    gauge
}

fn histogram(reading: HistogramSnapshot<'_>) -> proto::Histogram {
    let buckets = reading.buckets.seconds().iter().zip(reading.cumulative()).map(|(&bound, &count)| {
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(reading.count());
    histogram.set_sample_sum(reading.sum_nanos() as f64 / 1e9);
    histogram
}

thread_local! {
    static MODE: Cell<Mode> = const { Cell::new(Mode::Collect) };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Return our families: the user gathers the registry.
    Collect,
    /// Return the marker instead: a scrape renders our families itself, and needs only the registry's prefix and
    /// labels.
    Marked,
}

/// The collector of all our metrics.
pub(crate) struct OwnCollector {
    descs: Vec<Desc>,
}

impl OwnCollector {
    /// Describes our families. Their names are valid, since the catalogue checks them at compile time.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        // `read` shows the metrics of objectives, typed errors, the usage of models and runs only once there is one.
        let mut metrics: Vec<_> = crate::families::read().iter().map(|shown| shown.metric).collect();
        metrics.extend(ObjectiveMetrics::all());
        metrics.extend(errors::ALL);
        metrics.extend(models::all());
        metrics.extend(runs::all());
        metrics.sort_by_key(|metric| metric.name);
        metrics.dedup_by_key(|metric| metric.name);
        let descs = metrics.into_iter().map(|&Metric { name, help, labels, .. }| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(name.to_owned(), help.to_owned(), labels, std::collections::HashMap::new())
        });
        Ok(Self { descs: descs.collect::<Result<_, _>>()? })
    }
}

impl Collector for OwnCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        match MODE.get() {
            Mode::Collect => crate::families::read().iter().map(family).collect(),
            Mode::Marked => vec![marker()],
        }
    }
}

/// A collector that describes a metric without any series.
pub(crate) struct Described(pub(crate) Desc);

impl Collector for Described {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        Vec::new()
    }
}

fn marker() -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(MARKER.to_owned());
    family.set_field_type(MetricType::GAUGE);
    family.set_metric(vec![proto::Metric::from_gauge(proto::Gauge::default())]);
    family
}

/// A collector of the marker alone. Other threads that gather in the meantime get nothing from it.
pub(crate) struct MarkerCollector(Desc);

impl MarkerCollector {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let labels = std::collections::HashMap::new();
        Desc::new(MARKER.to_owned(), "Marks a registry.".to_owned(), Vec::new(), labels).map(Self)
    }
}

impl Collector for MarkerCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        match MODE.get() {
            Mode::Collect => Vec::new(),
            Mode::Marked => vec![marker()],
        }
    }
}

/// Gathers a registry: the prefix and labels it adds, if our metrics are in it, and all other families.
///
/// # Errors
///
/// Returns the message of a collector that panicked. `Registry::gather` then gives no families at all, and a registry
/// has no method to list its collectors.
pub(crate) fn gather(registry: &Registry) -> Result<(Option<RegistryLabels>, Vec<MetricFamily>), String> {
    let gathered = catch_unwind(AssertUnwindSafe(|| in_mode(Mode::Marked, || registry.gather())));
    let mut families = gathered.map_err(|panic| panic_message(&*panic).to_owned())?;
    Ok((RegistryLabels::take_from(&mut families), families))
}

/// Runs `gather` with `MODE` set, and restores it even if a user's collector panics.
fn in_mode<T>(mode: Mode, gather: impl FnOnce() -> T) -> T {
    struct Restore(Mode);
    impl Drop for Restore {
        fn drop(&mut self) {
            MODE.set(self.0);
        }
    }
    let _restore = Restore(MODE.replace(mode));
    gather()
}
