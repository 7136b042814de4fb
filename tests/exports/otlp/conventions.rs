//! The names that leave the process are those of the semantic conventions 1.41.0, word for word (that of the cache
//! from the separate ones for generative AI, 0.1.0): dashboards are built on them.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use monitor_runtime::genai::{ModelReply, Usage};
use monitor_runtime::http::HttpLayer;
use monitor_runtime::otlp::Otlp;
use monitor_runtime::{track_agent, track_model, track_query, track_skill};
use tower::ServiceExt as _;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::otlp::collector::{Collector, Span};
use crate::otlp::{flush, turn};

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

#[test]
fn spans_and_metrics_name_the_schema_that_they_keep() {
    let collector = exported();

    let received = collector.received();
    let traces = received
        .traces
        .iter()
        .flat_map(|of| of.scope_spans.iter().map(|of| &of.schema_url).chain([&of.schema_url]));
    let metrics = received
        .metrics
        .iter()
        .flat_map(|of| of.scope_metrics.iter().map(|of| &of.schema_url).chain([&of.schema_url]));
    let schemas: BTreeSet<_> = traces.chain(metrics).map(String::as_str).collect();
    assert_eq!(schemas, ["https://opentelemetry.io/schemas/1.41.0"].into());
}
