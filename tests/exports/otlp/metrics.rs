//! The metrics that arrive: what a scrape shows, under the same names.

use std::collections::BTreeMap;
use std::sync::Arc;

use monitor_runtime::otlp::{Otlp, OtlpBuilder};
use monitor_runtime::{Monitor, metrics, track_agent};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric};
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

use crate::otlp::collector::{Collector, attributes};
use crate::otlp::{flush, turn};
use crate::support::exposition::{Exposition, Kind};
use crate::support::theirs::{Gives, Panics, counter, family, gauge, histogram};

#[track_agent(id = id)]
fn act(id: &str) {}

/// One push of that registry, or of the process's, without the metrics that the conventions for generative AI name.
fn pushed(registry: Option<Registry>) -> Vec<Metric> {
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url());
    let otlp = registry.into_iter().fold(otlp, OtlpBuilder::registry).start().unwrap();
    flush(&otlp);
    let received = collector.received();
    let metrics = received.metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
    metrics.filter(|metric| !metric.name.starts_with("gen_ai.")).cloned().collect()
}

/// The pushed metrics as samples of a text exposition, by name and labels.
fn samples(metrics: &[Metric]) -> BTreeMap<(String, BTreeMap<String, String>), f64> {
    let mut samples = BTreeMap::new();
    for metric in metrics {
        let name = metric.name.clone();
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic, "{name}");
                assert_eq!(sum.aggregation_temporality, AggregationTemporality::Cumulative as i32, "{name}");
                for point in &sum.data_points {
                    assert!(point.start_time_unix_nano <= point.time_unix_nano);
                    samples.insert((name.clone(), attributes(&point.attributes)), double(point.value));
                }
            }
            Data::Gauge(gauge) => {
                for point in &gauge.data_points {
                    samples.insert((name.clone(), attributes(&point.attributes)), double(point.value));
                }
            }
            Data::Histogram(histogram) => {
                assert_eq!(
                    histogram.aggregation_temporality,
                    AggregationTemporality::Cumulative as i32,
                    "{name}"
                );
                for point in &histogram.data_points {
                    let labels = attributes(&point.attributes);
                    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1, "{name}");
                    let bounds = point.explicit_bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
                    let mut below = 0;
                    for (bound, count) in bounds.zip(&point.bucket_counts) {
                        below += count;
                        let mut labels = labels.clone();
                        labels.insert("le".to_owned(), bound);
                        samples.insert((format!("{name}_bucket"), labels), below as f64);
                    }
                    samples.insert((format!("{name}_sum"), labels.clone()), point.sum.unwrap());
                    samples.insert((format!("{name}_count"), labels), point.count as f64);
                }
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    samples
}

fn double(value: Option<Value>) -> f64 {
    match value {
        Some(Value::AsDouble(value)) => value,
        Some(Value::AsInt(value)) => value as f64,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pushed_numbers_equal_those_of_a_scrape() {
    let _turn = turn();
    (0..3).for_each(|_| act("pushed"));
    act("pushed \"too\"");

    let pushed = samples(&pushed(None));
    let scrape = Exposition::parse(&metrics::render()).unwrap();
    // Those of the process itself and of the export go on moving.
    let families = scrape
        .families()
        .iter()
        .filter(|family| !family.name.starts_with("process_") && !family.name.starts_with("otlp_"));
    let mut compared = 0;
    for sample in families.flat_map(|family| &family.samples) {
        let mut labels: BTreeMap<_, _> = sample.labels.iter().cloned().collect();
        if let Some(bound) = labels.get_mut("le").filter(|bound| *bound != "+Inf") {
            *bound = bound.parse::<f64>().unwrap().to_string();
        }
        let key = (sample.name.clone(), labels);
        assert_eq!(pushed.get(&key), Some(&sample.value), "{key:?}");
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
    let labels = [("agent_id", "pushed"), ("status", "success")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(pushed[&("agent_executions_total".to_owned(), labels)], 3.0);
}

#[test]
fn whole_numbers_of_ours_are_pushed_as_such() {
    let _turn = turn();
    act("whole");

    let pushed = pushed(None);
    let value = |name: &str| {
        let metric = pushed.iter().find(|metric| metric.name == name).unwrap();
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => sum.data_points[0].value,
            Data::Gauge(gauge) => gauge.data_points[0].value,
            other => panic!("{other:?}"),
        }
    };
    for whole in ["agent_executions_total", "active_agents", "log_events_total"] {
        assert!(matches!(value(whole), Some(Value::AsInt(_))), "{whole}: {:?}", value(whole));
    }
    assert!(matches!(value("process_cpu_seconds_total"), Some(Value::AsDouble(_))));
}

#[test]
fn every_family_keeps_its_type_help_and_unit() {
    let _turn = turn();
    act("typed");

    let pushed = pushed(None);
    let scrape = Exposition::parse(&metrics::render()).unwrap();
    for metric in &pushed {
        let family = scrape.family(&metric.name).unwrap_or_else(|| panic!("{}", metric.name));
        let kind = match metric.data.as_ref().unwrap() {
            Data::Sum(_) => Kind::Counter,
            Data::Gauge(_) => Kind::Gauge,
            Data::Histogram(_) => Kind::Histogram,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (family.kind, family.help.as_deref()),
            (Some(kind), Some(&*metric.description)),
            "{}",
            metric.name
        );
    }
    let unit = |name: &str| pushed.iter().find(|metric| metric.name == name).unwrap().unit.clone();
    assert_eq!(unit("agent_execution_duration_seconds"), "s");
    assert_eq!(unit("process_cpu_seconds_total"), "s");
    assert_eq!(unit("process_resident_memory_bytes"), "By");
    assert_eq!(unit("agent_executions_total"), "");
}

#[test]
fn totals_count_from_the_start_of_the_process() {
    let _turn = turn();
    act("since when");

    let pushed = pushed(None);
    let started =
        Exposition::parse(&metrics::render()).unwrap().value("process_start_time_seconds", &[]).unwrap();
    let total = pushed.iter().find(|metric| metric.name == "agent_executions_total").unwrap();
    let Some(Data::Sum(sum)) = &total.data else { panic!("{total:?}") };
    assert!(
        sum.data_points.iter().all(|point| (point.start_time_unix_nano / 1_000_000_000) as f64 == started)
    );
}

#[test]
fn a_registry_given_by_the_user_replaces_the_processs() {
    let _turn = turn();
    let registry = Registry::new();
    let jobs = IntCounterVec::new(Opts::new("jobs_total", "Jobs."), &["queue"]).unwrap();
    let depth = IntGauge::new("depth", "Depth.").unwrap();
    let sizes =
        Histogram::with_opts(HistogramOpts::new("size_bytes", "Sizes.").buckets(vec![1.0, 10.0])).unwrap();
    registry.register(Box::new(jobs.clone())).unwrap();
    registry.register(Box::new(depth.clone())).unwrap();
    registry.register(Box::new(sizes.clone())).unwrap();
    jobs.with_label_values(&["mail"]).inc_by(2);
    depth.set(-3);
    for size in [0.5, 1.0, 5.0, 100.0] {
        sizes.observe(size);
    }

    let samples = samples(&pushed(Some(registry)));
    let value = |name: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        samples.get(&(name.to_owned(), labels)).copied()
    };
    assert_eq!(value("jobs_total", &[("queue", "mail")]), Some(2.0));
    assert_eq!(value("depth", &[]), Some(-3.0));
    assert_eq!(value("size_bytes_bucket", &[("le", "1")]), Some(2.0));
    assert_eq!(value("size_bytes_bucket", &[("le", "10")]), Some(3.0));
    assert_eq!(value("size_bytes_bucket", &[("le", "+Inf")]), Some(4.0));
    assert_eq!((value("size_bytes_sum", &[]), value("size_bytes_count", &[])), (Some(106.5), Some(4.0)));
    assert_eq!(samples.len(), 7);
}

#[test]
fn a_family_that_no_scraper_reads_is_not_exported_either() {
    use prometheus::proto::MetricType;

    let _turn = turn();
    let registry = Registry::new();
    let theirs = vec![
        family("bad.name", MetricType::GAUGE, vec![gauge(&[], 1.0)]),
        family("bad_label", MetricType::GAUGE, vec![gauge(&[("http.route", "/")], 1.0)]),
        family("bad_total", MetricType::COUNTER, vec![counter(&[], -1.0)]),
        family("bad_twice", MetricType::GAUGE, vec![gauge(&[], 1.0), gauge(&[], 2.0)]),
        family("bad_order", MetricType::HISTOGRAM, vec![histogram(&[], &[(2.0, 1), (1.0, 2)], 2, 1.0)]),
        family("good", MetricType::GAUGE, vec![gauge(&[], 1.0)]),
        family("below", MetricType::HISTOGRAM, vec![histogram(&[], &[(-1.0, 1)], 1, -2.0)]),
    ];
    registry.register(Gives::new("given", theirs)).unwrap();
    let pushed = pushed(Some(registry));
    let names: Vec<_> = pushed.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["below", "good"]);
    let Some(Data::Histogram(below)) = &pushed[0].data else { panic!("{pushed:?}") };
    assert_eq!(below.data_points[0].sum, None, "OTLP has no place for one that may fall");
}

#[test]
fn our_metrics_are_exported_beside_a_collector_that_panics() {
    let _turn = turn();
    act("beside_a_panic");
    let registry = Registry::new();
    Monitor::builder().registry(registry.clone()).build().unwrap();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).registry(registry.clone()).start().unwrap();
    registry.register(Panics::boxed()).unwrap();
    flush(&otlp);
    let received = collector.received();
    let pushed = &received.metrics.last().unwrap().scope_metrics[0].metrics;
    for ours in ["agent_executions_total", "build_info", "process_open_fds"] {
        assert!(pushed.iter().any(|metric| metric.name == ours), "{ours}");
    }
}

#[test]
fn a_panicking_collector_costs_one_push_and_not_the_export() {
    use prometheus::core::{Collector as Collects, Desc};
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Panics(IntGauge, Arc<AtomicUsize>);

    impl Collects for Panics {
        fn desc(&self) -> Vec<&Desc> {
            self.0.desc()
        }

        fn collect(&self) -> Vec<prometheus::proto::MetricFamily> {
            assert!(self.1.fetch_add(1, Ordering::Relaxed) > 0, "the first time, told to");
            self.0.collect()
        }
    }

    let _turn = turn();
    let registry = Registry::new();
    let gauge = IntGauge::new("fragile", "Breaks once.").unwrap();
    let pushes = Arc::<AtomicUsize>::default();
    registry.register(Box::new(Panics(gauge, Arc::clone(&pushes)))).unwrap();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).registry(registry).start().unwrap();

    flush(&otlp);
    flush(&otlp);
    let tried = pushes.load(Ordering::Relaxed);
    assert!(tried >= 2);
    assert_eq!(collector.received().metrics.len(), tried - 1);
}
