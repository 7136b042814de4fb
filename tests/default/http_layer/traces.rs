//! A request belongs to the trace that its caller names, in its log lines and in the calls it makes.

#![allow(clippy::unused_async, reason = "the form is what is tested")]

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, Request};
use monitor_runtime::context::{self, TraceContext};
use monitor_runtime::http::HttpLayer;
use monitor_runtime::testing::capture_logs;
use monitor_runtime::track_agent;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::http_layer::recorded::Recorded;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

fn request(headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().uri("/ask").header("x-request-id", "r-1");
    let request = headers.iter().fold(request, |request, &(name, value)| request.header(name, value));
    request.body(Body::empty()).unwrap()
}

/// Sends the request, and gives the lines that `ask` logged.
fn lines(layer: HttpLayer, request: Request<Body>) -> Vec<Value> {
    let app = Router::new().route("/ask", get(ask)).layer(layer);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let _turn = Recorded::start().await;
            app.oneshot(request).await.unwrap();
        });
    });
    lines.into_iter().filter(|line| line["logger"] == module_path!()).collect()
}

#[track_agent("planner")]
async fn plan() {
    let mut headers = HeaderMap::new();
    context::inject(&mut headers);
    let sent = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    tracing::info!(parent = sent("traceparent"), state = sent("tracestate"), "calling");
}

async fn ask(request: Request<Body>) {
    let trace = request.extensions().get::<TraceContext>();
    tracing::info!(seen = trace.map(TraceContext::traceparent), "asked");
    plan().await;
    context::spawn(plan()).await.unwrap();
}

#[test]
fn lines_of_a_request_carry_its_trace_and_the_span_that_called() {
    let lines = lines(HttpLayer::new(), request(&[("traceparent", &traceparent())]));

    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!((&line["trace_id"], &line["span_id"]), (&TRACE.into(), &CALLER.into()), "{line}");
    }
    assert_eq!(lines[0]["seen"], traceparent());
}

#[test]
fn a_call_made_from_inside_names_the_trace_as_it_came() {
    let headers = [("traceparent", &*traceparent()), ("tracestate", "a=1"), ("tracestate", "b=2")];
    let lines = lines(HttpLayer::new(), request(&headers));

    for line in &lines[1..] {
        assert_eq!((&line["parent"], &line["state"]), (&traceparent().into(), &"a=1,b=2".into()), "{line}");
        assert_eq!(line["agent_id"], "planner");
    }
}

#[test]
fn a_request_without_a_good_header_belongs_to_no_trace() {
    let zeros = format!("00-{TRACE}-0000000000000000-01");
    for headers in [&[][..], &[("traceparent", &*zeros)], &[("tracestate", "a=1")]] {
        let lines = lines(HttpLayer::new(), request(headers));

        assert_eq!(lines.len(), 3);
        for line in lines {
            let fields = ["trace_id", "span_id", "seen", "parent", "state"];
            assert!(fields.iter().all(|&name| line.get(name).is_none()), "{line}");
            assert_eq!(line["request_id"], "r-1");
        }
    }
}

#[test]
fn a_layer_for_metrics_alone_leaves_traces_alone() {
    let lines = lines(HttpLayer::metrics_only(), request(&[("traceparent", &traceparent())]));

    assert_eq!(lines.len(), 3);
    assert!(
        lines.iter().all(|line| line.get("trace_id").is_none() && line.get("seen").is_none()),
        "{lines:?}"
    );
}

#[test]
fn outside_of_any_trace_the_headers_of_a_call_stay_as_they_are() {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "mine".parse().unwrap());
    capture_logs(|| context::inject(&mut headers));

    assert_eq!(headers["traceparent"], "mine");
    assert!(context::trace_context().is_none());
}
