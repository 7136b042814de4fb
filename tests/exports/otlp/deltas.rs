//! Delta temporality, over pushes that are accepted and lost.

use std::time::Duration;

use monitor_runtime::otlp::{Otlp, OtlpGuard, OtlpTemporality};
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, ResourceMetrics};
use prometheus::{IntCounter, Registry};

use crate::otlp::collector::{Answer, Collector, attributes};
use crate::otlp::{flush, panics, turn};
use crate::support::subprocess::in_own_process;

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
const DELTA: i32 = AggregationTemporality::Delta as i32;

#[track_agent("delta")]
fn act() {}

pub(crate) fn of_push(push: &ResourceMetrics, name: &str) -> Option<Metric> {
    push.scope_metrics.iter().flat_map(|of| &of.metrics).find(|metric| metric.name == name).cloned()
}

/// Whether a point counts the successful calls of this file.
fn is_ours(labels: &[KeyValue]) -> bool {
    let labels = attributes(labels);
    labels["agent_id"] == "delta" && labels["status"] == "success"
}

/// The calls that a push reports, if it reports any: by the counter, and by the histogram.
fn calls(push: &ResourceMetrics) -> Option<(i64, u64)> {
    let counter = of_push(push, "agent_executions_total").and_then(|metric| {
        let Some(Data::Sum(sum)) = metric.data else { panic!() };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (DELTA, true));
        let point = sum.data_points.iter().find(|point| is_ours(&point.attributes))?;
        let Some(Value::AsInt(calls)) = point.value else { panic!("{:?}", point.value) };
        Some(calls)
    })?;
    let Some(Data::Histogram(histogram)) = of_push(push, "agent_execution_duration_seconds")?.data else {
        panic!()
    };
    assert_eq!(histogram.aggregation_temporality, DELTA);
    let point = histogram.data_points.iter().find(|point| is_ours(&point.attributes)).unwrap();
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
    Some((counter, point.count))
}

/// The number of data points of a push.
fn points(push: &ResourceMetrics) -> usize {
    let metrics = push.scope_metrics.iter().flat_map(|of| &of.metrics);
    let counts = metrics.map(|metric| match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::Histogram(histogram) => histogram.data_points.len(),
        other => panic!("{other:?}"),
    });
    counts.sum()
}

fn start(collector: &Collector) -> OtlpGuard {
    let otlp = Otlp::builder().endpoint(collector.url()).temporality(OtlpTemporality::Delta);
    // Only when it is told to.
    otlp.metric_interval(Duration::from_secs(4_000)).start().unwrap()
}

/// Makes calls and pushes, and returns the calls that the push reported.
fn pushed(
    otlp: &OtlpGuard,
    collector: &Collector,
    calls_made: usize,
    answer: Option<Answer>,
) -> Option<(i64, u64)> {
    (0..calls_made).for_each(|_| act());
    collector.will(answer);
    let earlier = collector.received().metrics.len();
    flush(otlp);
    let received = collector.received();
    calls(&received.metrics[earlier])
}

#[test]
fn a_push_has_what_no_accepted_push_had() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = start(&collector);
    let pushed = |calls_made, answer| pushed(&otlp, &collector, calls_made, answer);
    // Another test may have called it.
    let before = pushed(1, None).unwrap();
    assert!(before.0 >= 1);
    assert_eq!(pushed(3, None), Some((3, 3)));
    let recording = Recording::start();
    assert_eq!(pushed(4, Some(Answer::Status(400))), Some((4, 4)), "it is lost");
    let lost = points(collector.received().metrics.last().unwrap());
    assert_eq!(recording.value("otlp_dropped_total", &[("signal", "metrics")]), lost as f64);
    assert_eq!(pushed(5, None), Some((9, 9)), "with those that were lost");
    assert_eq!(pushed(0, None), None, "nothing was added");
    assert_eq!(pushed(2, None), Some((2, 2)));
}

#[test]
fn a_panic_of_a_log_layer_repeats_no_accepted_delta() {
    in_own_process(|| {
        panics::install();
        let collector = Collector::start();
        let otlp = start(&collector);
        let pushed = |calls_made, answer| pushed(&otlp, &collector, calls_made, answer);
        assert_eq!(pushed(3, Some(Answer::Status(400))), Some((3, 3)), "it is lost");
        assert_eq!(pushed(4, None), Some((7, 7)), "with those that were lost");
        assert_eq!(panics::lines(), 4, "the outage and its end, each with the panic");
        assert_eq!(pushed(2, None), Some((2, 2)));
    });
}

#[test]
fn low_memory_leaves_the_applications_own_metrics_cumulative() {
    let _turn = turn();
    act();
    let (collector, registry) = (Collector::start(), Registry::new());
    let theirs = IntCounter::new("theirs_total", "Theirs.").unwrap();
    registry.register(Box::new(theirs.clone())).unwrap();
    monitor_runtime::Monitor::builder().registry(registry.clone()).build().unwrap();
    let otlp = Otlp::builder().endpoint(collector.url()).registry(registry);
    let otlp = otlp.temporality(OtlpTemporality::LowMemory).start().unwrap();
    for total in 1..=2 {
        theirs.inc();
        act();
        let earlier = collector.received().metrics.len();
        flush(&otlp);
        let received = collector.received();
        let push = &received.metrics[earlier];
        let sum = |name| match of_push(push, name).unwrap().data {
            Some(Data::Sum(sum)) => sum,
            other => panic!("{other:?}"),
        };
        let theirs = sum("theirs_total");
        assert_eq!(
            (theirs.aggregation_temporality, theirs.data_points[0].value),
            (CUMULATIVE, Some(Value::AsDouble(f64::from(total))))
        );
        assert_eq!(sum("agent_executions_total").aggregation_temporality, DELTA);
    }
}
