//! The names that leave the process are those of the conventions, word for word: dashboards are built on them. For generative
//! AI these are the conventions for generative AI 0.1.0, for all else the semantic conventions 1.41.0. The metrics for generative
//! AI are in `gen_ai_metrics`.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use monitor_runtime::genai::{self, ModelReply, Usage};
use monitor_runtime::http::HttpLayer;
use monitor_runtime::otlp::Otlp;
use monitor_runtime::{track_agent, track_model, track_query, track_skill};
use tower::ServiceExt as _;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::otlp::collector::{Collector, Span, attributes};
use crate::otlp::{flush, turn};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// A span as the conventions have it: its name, its kind, its attributes.
type Row = (&'static str, i32, &'static [(&'static str, &'static str)]);

const TABLE: [Row; 6] = [
    (
        "invoke_agent planner",
        INTERNAL,
        &[("gen_ai.agent.name", "planner"), ("gen_ai.operation.name", "invoke_agent")],
    ),
    (
        "execute_tool web_search",
        INTERNAL,
        &[("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "web_search")],
    ),
    (
        "find_user",
        CLIENT,
        &[
            ("db.operation.name", "select"),
            ("db.query.summary", "find_user"),
            ("db.system.name", "other_sql"),
        ],
    ),
    (
        "add_user",
        CLIENT,
        &[
            ("db.operation.name", "insert"),
            ("db.query.summary", "add_user"),
            ("db.system.name", "postgresql"),
            ("error.type", "_OTHER"),
        ],
    ),
    (
        "GET /ask/{id}",
        SERVER,
        &[
            ("error.type", "503"),
            ("http.request.method", "GET"),
            ("http.response.status_code", "503"),
            ("http.route", "/ask/{id}"),
            ("request_id", "r-1"),
            ("url.path", "/ask/7"),
            ("url.scheme", "http"),
        ],
    ),
    (
        "chat gpt-5",
        CLIENT,
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-5"),
            ("gen_ai.response.finish_reasons", "[stop]"),
            ("gen_ai.response.model", "gpt-5-2025-08-07"),
            ("gen_ai.usage.cache_read.input_tokens", "640"),
            ("gen_ai.usage.input_tokens", "812"),
            ("gen_ai.usage.output_tokens", "96"),
        ],
    ),
];

#[track_agent("planner")]
fn plan() {
    search();
    complete();
}

struct Reply;

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(812, 96).cached(640))
    }

    fn model(&self) -> Option<&str> {
        Some("gpt-5-2025-08-07")
    }

    fn finish_reason(&self) -> Option<&str> {
        Some("stop")
    }
}

#[track_model("gpt-5", provider = "openai")]
fn complete() -> Reply {
    Reply
}

#[track_skill("web_search")]
fn search() {
    find();
    let _ = add();
}

#[track_query("find_user", operation = "select")]
fn find() {}

#[track_query("add_user", operation = "insert", fields(db.system.name = "postgresql"))]
fn add() -> Result<(), &'static str> {
    Err("taken")
}

async fn ask() -> StatusCode {
    plan();
    StatusCode::SERVICE_UNAVAILABLE
}

fn exported() -> Collector {
    exported_by(Router::new().route("/ask/{id}", get(ask)).layer(HttpLayer::new()))
}

fn exported_by(app: Router) -> Collector {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).start().unwrap();
    let request = Request::get("/ask/7").header("x-request-id", "r-1").body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    with_default(tracing_subscriber::registry().with(otlp.layer()), || {
        drop(runtime.block_on(app.oneshot(request)).unwrap());
    });
    flush(&otlp);
    collector
}

#[test]
fn every_span_has_its_conventional_name_kind_and_attributes() {
    let collector = exported();

    for (name, kind, attributes) in TABLE {
        let Span { kind: exported_kind, attributes: exported, .. } = collector.span(name);
        assert_eq!(exported_kind, kind, "{name}");
        let exported: Vec<_> = exported.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(exported, attributes, "{name}");
    }
    assert_eq!(collector.spans().len(), TABLE.len());
}

#[test]
fn a_request_that_is_routed_further_in_has_its_route() {
    let changed = |mut request: Request<Body>| {
        *request.uri_mut() = "/ask/7".parse().unwrap();
        request
    };
    let routed = Router::new().route("/ask/{id}", get(ask)).layer(HttpLayer::new());
    let changing = tower::ServiceExt::<Request<Body>>::map_request(routed, changed);
    let collector = exported_by(Router::new().fallback_service(changing).layer(HttpLayer::new()));

    let (name, kind, attributes) = TABLE[4];
    let Span { kind: exported_kind, attributes: exported, .. } = collector.span(name);
    let exported: Vec<_> = exported.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!((exported_kind, &*exported), (kind, attributes));
}

#[test]
fn a_probe_mounted_as_a_service_is_no_span() {
    let monitor = monitor_runtime::Monitor::builder().build().unwrap();
    let probes = Router::new().route("/ask/{id}", get(ask)).merge(monitor.routes());
    let to_live = |mut request: Request<Body>| {
        *request.uri_mut() = "/health/live".parse().unwrap();
        request
    };
    let mounted = tower::ServiceExt::<Request<Body>>::map_request(probes, to_live);
    let collector = exported_by(Router::new().fallback_service(mounted).layer(HttpLayer::new()));

    assert!(collector.spans().is_empty(), "{:?}", collector.spans());
}

/// The names of the conventions that a scope says to keep: its schema URL, and the release for generative AI.
fn kept(scope: Option<&InstrumentationScope>, schema_url: &str) -> (String, String) {
    let scope = scope.unwrap();
    assert_eq!(scope.name, "monitor-runtime");
    let release = attributes(&scope.attributes).remove("monitor.gen_ai_conventions").unwrap_or_default();
    (schema_url.to_owned(), release)
}

#[test]
fn spans_and_metrics_name_the_schema_that_they_keep() {
    const SCHEMA: &str = "https://opentelemetry.io/schemas/1.41.0";
    let collector = exported();

    let received = collector.received();
    let resources = received.traces.iter().map(|of| &of.schema_url);
    let resources = resources.chain(received.metrics.iter().map(|of| &of.schema_url));
    assert!(resources.clone().count() > 1 && resources.clone().all(|schema| schema == SCHEMA));

    let mut is_seen = BTreeSet::new();
    for scoped in received.traces.iter().flat_map(|of| &of.scope_spans) {
        let kept = kept(scoped.scope.as_ref(), &scoped.schema_url);
        for span in &scoped.spans {
            let is_gen_ai = span.attributes.iter().any(|known| known.key.starts_with("gen_ai."));
            let expected = if is_gen_ai { ("", "0.1.0") } else { (SCHEMA, "") };
            assert_eq!((&*kept.0, &*kept.1), expected, "{}", span.name);
            is_seen.insert(("span", is_gen_ai));
        }
    }
    for scoped in received.metrics.iter().flat_map(|of| &of.scope_metrics) {
        let kept = kept(scoped.scope.as_ref(), &scoped.schema_url);
        for metric in &scoped.metrics {
            let is_gen_ai = metric.name.starts_with("gen_ai.");
            let expected = if is_gen_ai { ("", "0.1.0") } else { ("", "") };
            assert_eq!((&*kept.0, &*kept.1), expected, "{}", metric.name);
            is_seen.insert(("metric", is_gen_ai));
        }
    }
    assert_eq!(is_seen.len(), 4);
}

#[test]
fn a_hand_written_client_has_a_span_with_its_usage() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).start().unwrap();
    with_default(tracing_subscriber::registry().with(otlp.layer()), || {
        tracing::info_span!("around").in_scope(|| {
            let mut call = genai::call("openai", "span-streamed");
            std::thread::sleep(Duration::from_millis(2));
            call.first_chunk();
            call.usage(Usage::new(812, 96).cached(640).cache_write(100).reasoning(32));
            call.model("span-streamed-2026");
            call.response_id("chatcmpl-1");
            call.finish("stop");
            genai::call("openai", "span-failed").fail(&"overloaded");
            drop(genai::call("", ""));
        });
    });
    flush(&otlp);

    let mut streamed = collector.span("chat span-streamed");
    let first_chunk = streamed.attributes.remove("gen_ai.response.time_to_first_chunk").unwrap();
    let first_chunk = Duration::from_secs_f64(first_chunk.parse().unwrap());
    assert!(first_chunk >= Duration::from_millis(2), "{first_chunk:?}");
    assert!(first_chunk.as_nanos() <= streamed.nanos.into(), "{first_chunk:?}");
    let exported: Vec<_> = streamed.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "span-streamed"),
        ("gen_ai.request.stream", "true"),
        ("gen_ai.response.finish_reasons", "[stop]"),
        ("gen_ai.response.id", "chatcmpl-1"),
        ("gen_ai.response.model", "span-streamed-2026"),
        ("gen_ai.usage.cache_read.input_tokens", "640"),
        ("gen_ai.usage.cache_write.input_tokens", "100"),
        ("gen_ai.usage.input_tokens", "812"),
        ("gen_ai.usage.output_tokens", "96"),
        ("gen_ai.usage.reasoning.output_tokens", "32"),
    ];
    assert_eq!((streamed.kind, &*exported), (CLIENT, &expected[..]));
    assert_eq!(streamed.parent, collector.span("around").id);

    let failed = collector.span("chat span-failed");
    assert_eq!((failed.attribute("error.type"), &*failed.status.1), ("_OTHER", "overloaded"));
    assert!(!failed.attributes.contains_key("gen_ai.request.stream"));
    let nameless = collector.span("chat unknown");
    assert_eq!(nameless.attribute("gen_ai.provider.name"), "unknown");
    assert_eq!(nameless.attribute("error.type"), "cancelled");
}

#[track_model("span-fetched", provider = "openai", operation = "fetch_response")]
fn fetch() -> Reply {
    Reply
}

#[test]
fn a_fetched_response_does_not_report_its_usage_again() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).start().unwrap();
    with_default(tracing_subscriber::registry().with(otlp.layer()), fetch);
    flush(&otlp);

    let span = collector.span("fetch_response span-fetched");
    assert_eq!(span.attribute("gen_ai.response.model"), "gpt-5-2025-08-07");
    assert!(!span.attributes.keys().any(|name| name.contains("usage")), "{:?}", span.attributes);
}
