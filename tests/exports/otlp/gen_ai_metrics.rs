//! The metrics that the conventions for generative AI 0.1.0 name: each with its unit, kind, bounds and attributes, over a real
//! export of every kind of call.

use std::collections::BTreeMap;

use futures_util::{Stream, StreamExt as _, stream};
use monitor_runtime::genai::{self, ModelReply, Usage};
use monitor_runtime::otlp::{Otlp, OtlpHistograms, OtlpTemporality};
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Classify, Outcome, track_agent, track_model, track_skill};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use tracing::field::Empty;

use crate::otlp::collector::{Collector, attributes};
use crate::otlp::{flush, turn};

/// The bounds of a histogram in the conventions, empty for a counter.
type Bounds = &'static [f64];

const DOUBLING: Bounds =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const AGENT: Bounds = &[0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];
const CALLS: Bounds = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
#[rustfmt::skip]
const TOKENS: Bounds = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0,
    16_777_216.0, 67_108_864.0,
];

/// Every metric, as the conventions have it: name, unit, bounds.
const TABLE: [(&str, &str, Bounds); 14] = [
    ("gen_ai.client.embeddings.duration", "s", DOUBLING),
    ("gen_ai.client.embeddings.operation.input_tokens", "{token}", TOKENS),
    ("gen_ai.client.inference.duration", "s", DOUBLING),
    ("gen_ai.client.inference.time_to_first_chunk", "s", DOUBLING),
    ("gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", &[]),
    ("gen_ai.client.inference.usage.cache_write.input_tokens", "{token}", &[]),
    ("gen_ai.client.inference.usage.input_tokens", "{token}", &[]),
    ("gen_ai.client.inference.usage.output_tokens", "{token}", &[]),
    ("gen_ai.client.inference.usage.reasoning.output_tokens", "{token}", &[]),
    ("gen_ai.client.operation.duration", "s", DOUBLING),
    ("gen_ai.execute_tool.duration", "s", DOUBLING),
    ("gen_ai.invoke_agent.duration", "s", AGENT),
    ("gen_ai.invoke_agent.inference_calls", "{inference_call}", CALLS),
    ("gen_ai.invoke_agent.tool_calls", "{tool_call}", CALLS),
];

struct Reply(Option<Usage>);

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        self.0
    }
}

#[derive(Debug)]
struct Overloaded;

impl Classify for Overloaded {
    fn outcome(&self) -> Outcome {
        Outcome::Error
    }

    fn error_type(&self) -> Option<&'static str> {
        Some("overloaded")
    }
}

/// Each count differs, so that none can stand for another.
fn usage() -> Usage {
    Usage::new(812, 96).cached(640).cache_write(100).reasoning(32)
}

#[track_model(provider = "openai", model = model)]
fn ask(model: &str, reply: Result<Option<Usage>, Overloaded>) -> Result<Reply, Overloaded> {
    reply.map(Reply)
}

#[track_model(provider = "openai", model = model)]
fn stream_of(
    model: &str,
    items: Vec<Result<Reply, Overloaded>>,
) -> impl Stream<Item = Result<Reply, Overloaded>> {
    stream::iter(items)
}

#[track_model("table-embedding", provider = "openai", operation = "embeddings")]
fn embed(tokens: Result<u64, Overloaded>) -> Result<Reply, Overloaded> {
    tokens.map(|tokens| Reply(Some(Usage::default().input(tokens))))
}

#[track_model("table-fetched", provider = "openai", operation = "fetch_response")]
fn fetch() -> Reply {
    Reply(Some(usage()))
}

#[track_skill("table_tool")]
fn use_tool() -> Result<(), Overloaded> {
    Err(Overloaded)
}

/// Its budget has the calls inside its runs counted.
#[track_agent("table_agent", budget(skill_calls = 100))]
fn act(tools: usize) {
    (0..tools).for_each(|_| assert!(use_tool().is_err()));
}

/// A call that a framework tracks by a span, with one more field.
fn framework(operation: &str, field: &str, value: &dyn tracing::Value) {
    let span = tracing::info_span!(
        "framework",
        gen_ai.operation.name = operation,
        gen_ai.provider.name = "openai",
        gen_ai.request.model = "table-framework",
        gen_ai.usage.input_tokens = Empty,
        error.type = Empty,
    );
    span.record(field, value);
}

/// Everything that the table is about.
fn make_calls() {
    capture_logs(|| {
        framework("embeddings", "gen_ai.usage.input_tokens", &300_u64);
        framework("chat", "error.type", &"429");
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let run = |items| runtime.block_on(stream_of("table-stream", items).collect::<Vec<_>>());
    run(vec![Ok(Reply(None)), Ok(Reply(Some(usage())))]);
    run(vec![Ok(Reply(None)), Err(Overloaded)]);
    ask("table-chat", Ok(Some(usage()))).ok().unwrap();
    ask("table-chat", Ok(Some(usage()))).ok().unwrap();
    ask("table-chat", Err(Overloaded)).err().unwrap();
    ask("table-silent", Ok(None)).ok().unwrap();
    genai::call("openai", "table-client").fail(&"no route");
    drop(genai::call("openai", "table-client"));
    embed(Ok(300)).ok().unwrap();
    embed(Ok(0)).ok().unwrap();
    embed(Err(Overloaded)).err().unwrap();
    fetch();
    [0, 1, 3, 200].into_iter().for_each(act);
}

/// One data point: its attributes, and its value, or the number of its observations.
type Point = (BTreeMap<String, String>, u64);

fn metrics_of(collector: &Collector) -> BTreeMap<String, Metric> {
    let received = collector.received();
    let last = received.metrics.last().unwrap();
    let metrics = last.scope_metrics.iter().flat_map(|of| &of.metrics);
    let gen_ai = metrics.filter(|metric| metric.name.starts_with("gen_ai."));
    gen_ai.map(|metric| (metric.name.clone(), metric.clone())).collect()
}

fn exported() -> BTreeMap<String, Metric> {
    let _turn = turn();
    let collector = Collector::start();
    let otlp =
        Otlp::builder().endpoint(collector.url()).histograms(OtlpHistograms::Explicit).start().unwrap();
    make_calls();
    flush(&otlp);
    metrics_of(&collector)
}

/// The points of one of the metrics, without those of other tests.
fn points(metric: &Metric) -> Vec<Point> {
    let ours = |of: &[KeyValue]| {
        let attributes = attributes(of);
        attributes.values().any(|value| value.starts_with("table")).then_some(attributes)
    };
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            let number = |value| match value {
                Some(Value::AsInt(number)) => u64::try_from(number).unwrap(),
                other => panic!("{other:?}"),
            };
            let points = sum.data_points.iter();
            points.filter_map(|point| Some((ours(&point.attributes)?, number(point.value)))).collect()
        }
        Data::Histogram(of) => {
            of.data_points.iter().filter_map(|point| Some((ours(&point.attributes)?, point.count))).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// A point of the table's calls, with `operation` and what else is given beside the provider.
fn model(operation: &str, model: &str, more: &[(&str, &str)], value: u64) -> Point {
    let own = [
        ("gen_ai.operation.name", operation),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", model),
    ];
    of(own.iter().chain(more), value)
}

fn of<'a>(attributes: impl IntoIterator<Item = &'a (&'a str, &'a str)>, value: u64) -> Point {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    (attributes.into_iter().map(owned).collect(), value)
}

#[test]
fn every_metric_has_its_conventional_name_unit_kind_and_bounds() {
    let exported = exported();

    let names: Vec<_> = exported.keys().map(String::as_str).collect();
    assert_eq!(names, TABLE.map(|(name, _, _)| name));
    for (name, unit, bounds) in TABLE {
        let metric = &exported[name];
        assert_eq!(metric.unit, unit, "{name}");
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => assert!(sum.is_monotonic && bounds.is_empty(), "{name}"),
            Data::Histogram(histogram) => {
                assert!(!histogram.data_points.is_empty());
                for point in &histogram.data_points {
                    assert_eq!(point.explicit_bounds, bounds, "{name}");
                    assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count, "{name}");
                }
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let all = format!("{exported:?}");
    assert!(!all.contains("gen_ai.workflow.name") && !all.contains("gen_ai.client.token.usage"));
}

#[test]
fn durations_have_the_operation_the_model_and_the_type_of_the_error() {
    let exported = exported();

    let typed = [("error.type", "overloaded")];
    assert_eq!(
        points(&exported["gen_ai.client.inference.duration"]),
        [
            model("chat", "table-chat", &[], 2),
            model("chat", "table-chat", &typed, 1),
            model("chat", "table-client", &[("error.type", "_OTHER")], 1),
            model("chat", "table-client", &[("error.type", "cancelled")], 1),
            model("chat", "table-framework", &[("error.type", "429")], 1),
            model("chat", "table-silent", &[], 1),
            model("chat", "table-stream", &[], 1),
            model("chat", "table-stream", &typed, 1),
        ]
    );
    assert_eq!(
        points(&exported["gen_ai.client.embeddings.duration"]),
        [
            model("embeddings", "table-embedding", &[], 2),
            model("embeddings", "table-embedding", &typed, 1),
            model("embeddings", "table-framework", &[], 1),
        ]
    );
    assert_eq!(
        points(&exported["gen_ai.client.operation.duration"]),
        [model("fetch_response", "table-fetched", &[], 1)]
    );
    assert_eq!(
        points(&exported["gen_ai.client.inference.time_to_first_chunk"]),
        [model("chat", "table-stream", &[], 2)],
        "only of streams"
    );
    let agent = [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "table_agent")];
    assert_eq!(points(&exported["gen_ai.invoke_agent.duration"]), [of(&agent, 4)]);
    let tool = [("gen_ai.tool.name", "table_tool"), typed[0]];
    assert_eq!(points(&exported["gen_ai.execute_tool.duration"]), [of(&tool, 204)]);
}

#[test]
fn the_calls_inside_an_agent_are_those_of_each_of_its_runs() {
    let exported = exported();

    let agent = [("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "table_agent")];
    let of_agent = |name: &str| {
        let Some(Data::Histogram(calls)) = &exported[name].data else { panic!("{name}") };
        let (expected, _) = of(&agent, 0);
        calls.data_points.iter().find(|point| attributes(&point.attributes) == expected).unwrap()
    };
    let models = of_agent("gen_ai.invoke_agent.inference_calls");
    assert_eq!((models.count, models.sum), (4, Some(0.0)));
    assert_eq!(models.bucket_counts, [4, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Runs with 0, 1, 3 and 200 calls of skills.
    let tools = of_agent("gen_ai.invoke_agent.tool_calls");
    assert_eq!((tools.count, tools.sum), (4, Some(204.0)));
    assert_eq!(tools.bucket_counts, [2, 0, 1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn tokens_count_once_and_a_call_without_usage_counts_as_zero() {
    let exported = exported();

    let unknown = [("gen_ai.token.modality", "unknown")];
    let usage = |name: &str| points(&exported[&format!("gen_ai.client.inference.usage.{name}")]);
    // Two calls of `table-chat` and one of `table-stream` have reported their usage.
    for (name, tokens) in [("input_tokens", 812), ("output_tokens", 96)] {
        let expected = [
            model("chat", "table-chat", &unknown, 2 * tokens),
            model("chat", "table-client", &unknown, 0),
            model("chat", "table-framework", &unknown, 0),
            model("chat", "table-silent", &unknown, 0),
            model("chat", "table-stream", &unknown, tokens),
        ];
        assert_eq!(usage(name), expected, "{name}");
    }
    let parts = [
        ("cache_read.input_tokens", 640),
        ("cache_write.input_tokens", 100),
        ("reasoning.output_tokens", 32),
    ];
    for (name, tokens) in parts {
        let expected = [
            model("chat", "table-chat", &unknown, 2 * tokens),
            model("chat", "table-stream", &unknown, tokens),
        ];
        assert_eq!(usage(name), expected, "{name}");
    }
    // The calls that succeeded: 300 tokens and 0.
    let embedded = &exported["gen_ai.client.embeddings.operation.input_tokens"];
    assert_eq!(
        points(embedded),
        [model("embeddings", "table-embedding", &[], 2), model("embeddings", "table-framework", &[], 1)]
    );
    let Some(Data::Histogram(embedded)) = &embedded.data else { panic!() };
    let point = &embedded.data_points[0];
    assert_eq!((point.sum, point.bucket_counts[0], point.bucket_counts[5]), (Some(300.0), 1, 1));
}

#[test]
fn a_delta_has_the_calls_since_the_last_push() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).temporality(OtlpTemporality::LowMemory);
    let otlp = otlp.histograms(OtlpHistograms::Explicit).start().unwrap();
    let ask = || ask("table-delta", Ok(Some(usage()))).ok().unwrap();
    ask();
    flush(&otlp);
    ask();
    ask();
    flush(&otlp);

    let metrics = metrics_of(&collector);
    let delta = |name: &str, more: &[(&str, &str)]| {
        let (attributes, _) = model("chat", "table-delta", more, 0);
        let point = points(&metrics[name]).into_iter().find(|point| point.0 == attributes);
        point.map(|point| point.1)
    };
    let unknown = [("gen_ai.token.modality", "unknown")];
    assert_eq!(delta("gen_ai.client.inference.usage.input_tokens", &unknown), Some(2 * 812));
    assert_eq!(delta("gen_ai.client.inference.duration", &[]), Some(2));
}
