//! The spans that arrive: their names, their parents, their ends.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::FutureExt as _;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::{Request, Response, StatusCode};
use monitor_runtime::http::HttpLayer;
use monitor_runtime::logging::{LogGuard, Logging, LoggingBuilder};
use monitor_runtime::otlp::{Otlp, OtlpGuard};
use monitor_runtime::testing::Recording;
use monitor_runtime::{Classify, Outcome, context, track_agent, track_query, track_skill};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::otlp::collector::{Collector, Span};
use crate::otlp::{flush, turn};

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const ERROR: i32 = 2;

/// Runs `code` with its spans exported, and gives the collector with all that arrived.
fn exported(code: impl FnOnce()) -> Collector {
    let _turn = turn();
    exported_in_turn(code)
}

fn exported_in_turn(code: impl FnOnce()) -> Collector {
    let collector = Collector::start();
    let otlp = start(&collector);
    with_default(tracing_subscriber::registry().with(otlp.layer()), code);
    flush(&otlp);
    collector
}

fn start(collector: &Collector) -> OtlpGuard {
    Otlp::builder().service("notes", "1.4.2").endpoint(collector.url()).start().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[track_agent("planner", fields(gen_ai.request.model = "m-1", steps = 3_u8))]
fn plan() -> Result<(), io::Error> {
    search()
}

#[track_skill("web_search")]
fn search() -> Result<(), io::Error> {
    find()
}

#[track_query("find_notes", operation = "select")]
fn find() -> Result<(), io::Error> {
    Err(io::Error::other("connection reset"))
}

#[track_agent(id = name)]
fn act(name: &str, way: &str) {
    assert!(way != "panic", "told to");
}

#[track_agent("waiter")]
async fn wait() {
    std::future::pending::<()>().await;
}

#[test]
fn calls_inside_one_another_are_spans_of_one_trace() {
    let collector = exported(|| drop(plan()));

    let [plan, search, find] =
        ["invoke_agent planner", "execute_tool web_search", "find_notes"].map(|name| collector.span(name));
    assert_eq!(plan.parent, "");
    assert_eq!(search.parent, plan.id);
    assert_eq!(find.parent, search.id);
    assert!([&search, &find].iter().all(|span| span.trace == plan.trace && !span.is_remote));
    assert_eq!((plan.kind, search.kind, find.kind), (INTERNAL, INTERNAL, CLIENT));
    assert!(find.nanos <= search.nanos && search.nanos <= plan.nanos);
}

#[test]
fn bound_fields_are_attributes_under_their_own_names() {
    let plan = exported(|| drop(plan())).span("invoke_agent planner");

    assert_eq!(plan.attribute("gen_ai.request.model"), "m-1");
    assert_eq!(plan.attribute("steps"), "3");
    assert!(!plan.attributes.contains_key("agent_id"), "the name says it");
}

#[test]
fn an_error_is_the_spans_status_with_what_was_said() {
    let collector = exported(|| drop(plan()));

    for span in collector.spans() {
        assert_eq!(span.status, (ERROR, "connection reset".to_owned()), "{}", span.name);
        assert_eq!(span.attribute("error.type"), "_OTHER");
    }
}

/// An error with a type.
#[derive(Debug)]
struct Timeout;

impl Classify for Timeout {
    fn outcome(&self) -> Outcome {
        Outcome::Error
    }

    fn error_type(&self) -> Option<&'static str> {
        Some("timeout")
    }
}

#[test]
fn the_type_that_an_error_gives_itself_is_the_spans() {
    #[track_skill("typed", log_errors = false)]
    fn typed() -> Result<(), Timeout> {
        Err(Timeout)
    }
    #[track_agent("typed_items")]
    fn items() -> impl Stream<Item = Result<(), Timeout>> {
        stream::iter([Err(Timeout), Ok(())])
    }
    let collector = exported(|| {
        assert!(typed().is_err());
        assert_eq!(items().count().now_or_never(), Some(2));
    });

    for name in ["execute_tool typed", "invoke_agent typed_items"] {
        let span = collector.span(name);
        assert_eq!((span.status.0, span.attribute("error.type")), (ERROR, "timeout"), "{name}");
    }
}

#[test]
fn an_unlogged_error_is_not_exported_either() {
    #[track_skill("discreet", log_errors = false)]
    fn discreet() -> Result<(), &'static str> {
        Err("a secret")
    }
    let span = exported(|| assert!(discreet().is_err())).span("execute_tool discreet");

    assert_eq!(span.status, (ERROR, String::new()));
}

/// An error that is its own source, and whose `Debug` has no end.
struct Circle;

impl std::fmt::Debug for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        loop {
            f.write_str("and so on ")?;
        }
    }
}

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("again")
    }
}

impl std::error::Error for Circle {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Self)
    }
}

#[test]
fn an_error_without_an_end_is_said_up_to_one() {
    #[track_skill("circle", fields(debugged = ?Circle))]
    fn circle() -> Result<(), Circle> {
        Err(Circle)
    }
    let span = exported(|| assert!(circle().is_err())).span("execute_tool circle");

    assert_eq!(span.status, (ERROR, "again: …[truncated after 64 sources]".to_owned()));
    let debugged = span.attribute("debugged");
    assert!(debugged.starts_with("and so on") && debugged.ends_with("…[truncated]"));
}

#[test]
fn every_way_out_of_a_call_is_told_apart() {
    let collector = exported(|| {
        act("good", "return");
        let panicked = catch_unwind(AssertUnwindSafe(|| act("bad", "panic")));
        assert!(panicked.is_err());
        assert!(block_on(async { wait().now_or_never() }).is_none());
    });

    let good = collector.span("invoke_agent good");
    assert_eq!(good.status, (0, String::new()));
    assert!(!good.attributes.contains_key("error.type"));
    for (name, kind) in [("invoke_agent bad", "panic"), ("invoke_agent waiter", "cancelled")] {
        let span = collector.span(name);
        assert_eq!((span.status.0, span.attribute("error.type")), (ERROR, kind));
    }
}

#[test]
fn a_call_that_never_began_is_no_span() {
    let collector = exported(|| {
        drop(wait());
        act("after", "return");
    });

    assert_eq!(collector.spans().len(), 1);
}

#[test]
fn spans_of_the_codes_own_are_exported_from_info_on() {
    let collector = exported(|| {
        let _import = tracing::info_span!("import", file = "tea.md", lines = tracing::field::Empty).entered();
        tracing::Span::current().record("lines", 7);
        let _detail = tracing::debug_span!("detail").entered();
        act("importer", "return");
    });

    let import = collector.span("import");
    assert_eq!((import.attribute("file"), import.attribute("lines")), ("tea.md", "7"));
    assert_eq!(collector.span("invoke_agent importer").parent, import.id);
    assert_eq!(collector.spans().len(), 2);
}

/// A request to `path` as a client sends it that is in no trace, or in this one.
fn request(path: &str, traceparent: Option<&str>) -> Request<Body> {
    let request = Request::builder().method("GET").uri(path);
    let request =
        traceparent.into_iter().fold(request, |request, value| request.header("traceparent", value));
    request.body(Body::empty()).unwrap()
}

async fn ask() -> StatusCode {
    act("answerer", "return");
    StatusCode::OK
}

fn app() -> Router {
    let broken = async || StatusCode::BAD_GATEWAY;
    let missing = async || StatusCode::NOT_FOUND;
    let routes = Router::new()
        .route("/notes/{id}", get(ask))
        .route("/broken", get(broken))
        .route("/missing", get(missing));
    routes.layer(HttpLayer::new())
}

/// The span of one request to [`app`].
fn span_of(name: &str, request: Request<Body>) -> Span {
    exported(|| drop(block_on(app().oneshot(request)).unwrap())).span(name)
}

#[test]
fn a_request_is_a_servers_span_around_the_calls_it_makes() {
    let collector = exported(|| drop(block_on(app().oneshot(request("/notes/7?x=1", None))).unwrap()));

    let request = collector.span("GET /notes/{id}");
    assert_eq!((request.kind, &*request.parent), (SERVER, ""));
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/notes/{id}"),
        ("url.path", "/notes/7"),
        ("url.scheme", "http"),
    ];
    assert!(expected.iter().all(|&(name, value)| request.attribute(name) == value), "{request:?}");
    assert_eq!(collector.span("invoke_agent answerer").parent, request.id);
}

#[test]
fn a_servers_own_failure_is_an_error_and_a_clients_is_not() {
    let broken = span_of("GET /broken", request("/broken", None));
    assert_eq!((broken.status.0, broken.attribute("error.type")), (ERROR, "502"));
    let missing = span_of("GET /missing", request("/missing", None));
    assert_eq!((missing.status.0, missing.attribute("http.response.status_code")), (0, "404"));
    assert!(!missing.attributes.contains_key("error.type"));
}

#[test]
fn a_client_that_left_is_a_cancelled_span_without_a_status_code() {
    let left = exported(|| {
        let app = Router::new().route("/slow", get(std::future::pending::<()>)).layer(HttpLayer::new());
        assert!(block_on(async { app.oneshot(request("/slow", None)).now_or_never() }).is_none());
    });
    let left = left.span("GET /slow");

    assert_eq!((left.status.0, left.attribute("error.type")), (ERROR, "cancelled"));
    assert!(!left.attributes.contains_key("http.response.status_code"));
}

#[test]
fn a_span_without_a_route_is_named_by_its_known_method() {
    let plain = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let collector = exported(|| {
        let mut odd = request("/secret/path", None);
        *odd.method_mut() = "BREW".parse().unwrap();
        block_on(HttpLayer::new().layer(plain).oneshot(request("/secret/path", None))).unwrap();
        block_on(HttpLayer::new().layer(plain).oneshot(odd)).unwrap();
    });

    assert!(!collector.span("GET").attributes.contains_key("http.route"));
    assert_eq!(collector.span("HTTP").attribute("http.request.method"), "_OTHER");
}

#[test]
fn a_request_goes_on_with_the_trace_of_its_caller() {
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut request = request("/notes/7", Some(caller));
    request.headers_mut().insert("tracestate", "a=1".parse().unwrap());
    let span = span_of("GET /notes/{id}", request);

    assert_eq!(span.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span.parent, "00f067aa0ba902b7");
    assert!(span.is_remote);
    assert_eq!(span.state, "a=1");
    assert!(!span.attributes.contains_key("span_id"), "{span:?}");
}

#[test]
fn an_unsampled_trace_is_not_recorded_but_propagated() {
    let sent = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&sent);
    let handler = async move || {
        *seen.lock().unwrap() = context::trace_context().unwrap().to_string();
    };
    let app = Router::new().route("/notes/{id}", get(handler)).layer(HttpLayer::new());
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let collector = exported(|| drop(block_on(app.oneshot(request("/notes/7", Some(caller)))).unwrap()));

    assert!(collector.spans().is_empty());
    let sent = sent.lock().unwrap().clone();
    assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && sent.ends_with("-00"), "{sent}");
    assert_ne!(sent, caller, "the next service's parent is the span here");
}

#[test]
fn services_that_call_one_another_are_one_trace() {
    #[track_skill("call_next")]
    async fn call_next(next: Router) {
        let mut request = request("/notes/7", None);
        context::inject(request.headers_mut());
        next.oneshot(request).await.unwrap();
    }
    let first = Router::new().route("/ask", get(async || call_next(app()).await)).layer(HttpLayer::new());
    let collector = exported(|| drop(block_on(first.oneshot(request("/ask", None))).unwrap()));

    let [outer, skill, inner, agent] =
        ["GET /ask", "execute_tool call_next", "GET /notes/{id}", "invoke_agent answerer"]
            .map(|name| collector.span(name));
    assert_eq!(skill.parent, outer.id);
    assert_eq!(inner.parent, skill.id);
    assert_eq!(agent.parent, inner.id);
    assert!([&skill, &inner, &agent].iter().all(|span| span.trace == outer.trace));
}

#[test]
fn a_task_that_is_spawned_with_the_context_stays_in_the_trace() {
    #[track_agent("spawner")]
    async fn spawn() {
        context::spawn(async { act("spawned", "return") }).await.unwrap();
    }
    let collector = exported(|| block_on(spawn()));

    assert_eq!(collector.span("invoke_agent spawned").parent, collector.span("invoke_agent spawner").id);
}

#[test]
fn the_resource_says_whose_spans_they_are() {
    let collector = exported(|| act("anybody", "return"));

    let received = collector.received();
    let resource =
        crate::otlp::collector::attributes(&received.traces[0].resource.as_ref().unwrap().attributes);
    assert_eq!((&*resource["service.name"], &*resource["service.version"]), ("notes", "1.4.2"));
    assert_eq!(resource["telemetry.sdk.language"], "rust");
    let instance: uuid::Uuid = resource["service.instance.id"].parse().unwrap();
    assert_eq!(instance.get_version_num(), 4);
}

#[test]
fn every_span_counts_as_exported_and_none_as_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = exported_in_turn(|| (0..1_000).for_each(|_| act("many", "return")));

    assert_eq!(collector.spans().len(), 1_000);
    assert_eq!(recording.value("otlp_dropped_total", &[("signal", "traces")]), 0.0);
    let requests = collector.received().traces.len() as f64;
    let labels = [("signal", "traces"), ("outcome", "success")];
    assert_eq!(recording.value("otlp_exports_total", &labels), requests);
}

/// Lines in the order of writing, for a writer that a test reads.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn lines(&self) -> Vec<Value> {
        let lines = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[track_agent("outer")]
fn outer() {
    tracing::info!("outside");
    inner();
}

#[track_skill("inner")]
fn inner() {
    tracing::info!("inside");
}

/// Checks what is logged through lines and spans that one of these makes into a subscriber.
fn assert_lines_carry_their_span(run: impl FnOnce(&OtlpGuard, LoggingBuilder) -> LogGuard) {
    let _turn = turn();
    let (collector, memory) = (Collector::start(), Memory::default());
    let otlp = start(&collector);
    let logs = run(&otlp, Logging::builder().writer(memory.clone()));
    assert!(logs.flush());
    flush(&otlp);
    let lines = memory.lines();
    for (event, span) in [("outside", "invoke_agent outer"), ("inside", "execute_tool inner")] {
        let line = lines.iter().find(|line| line["event"] == event).unwrap();
        let span = collector.span(span);
        assert_eq!((&line["trace_id"], &line["span_id"]), (&span.trace.into(), &span.id.into()), "{line}");
    }
}

#[test]
fn lines_carry_the_trace_and_the_innermost_span() {
    assert_lines_carry_their_span(|otlp, logging| {
        let (lines, logs) = logging.layer().unwrap();
        with_default(tracing_subscriber::registry().with(otlp.layer()).with(lines), outer);
        logs
    });
}

#[test]
fn lines_carry_span_ids_also_if_their_layer_comes_first() {
    assert_lines_carry_their_span(|otlp, logging| {
        let (lines, logs) = logging.layer().unwrap();
        with_default(tracing_subscriber::registry().with(lines).with(otlp.layer()), outer);
        logs
    });
}
