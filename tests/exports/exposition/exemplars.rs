//! Exemplars: of each bucket a call, by an id that its logs and its trace have too.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, context, metrics, track_agent};

use crate::exposition::readers::python;
use crate::exposition::{OPEN_METRICS, PROTOBUF, TEXT, answer, scrape, text};

fn monitor() -> Monitor {
    metrics::builder().exemplars(true).init().unwrap();
    Monitor::builder().build().unwrap()
}

/// The exemplars of the buckets whose lines have `label`: labels, value, time.
fn exemplars(monitor: &Monitor, label: &str) -> Vec<String> {
    let scrape = scrape(monitor, OPEN_METRICS);
    let lines = text(&scrape).lines().filter(|line| line.contains(label));
    lines.filter_map(|line| Some(line.split_once(" # ")?.1.to_owned())).collect()
}

/// The labels of the only one.
#[track_caller]
fn only(monitor: &Monitor, label: &str) -> String {
    let all = exemplars(monitor, label);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].split_once('}').unwrap().0.to_owned() + "}"
}

#[track_agent("named_by_request")]
async fn by_request() {}

#[test]
fn a_bucket_names_the_request_whose_call_fell_into_it() {
    let monitor = monitor();
    let app = Router::new().route("/named", get(by_request)).layer(monitor.layer());
    let request = Request::get("/named").header("x-request-id", "request-17").body(Body::empty()).unwrap();
    capture_logs(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(answer(&app, request)).status(), 200);
    });
    assert_eq!(only(&monitor, r#"agent_id="named_by_request""#), r#"{request_id="request-17"}"#);
    assert_eq!(only(&monitor, r#"endpoint="/named""#), r#"{request_id="request-17"}"#);
}

#[tokio::test]
async fn a_request_has_an_exemplar_though_nothing_is_logged() {
    let monitor = monitor();
    let app = Router::new().route("/silent", get(async || "")).layer(monitor.layer());
    let request = Request::get("/silent").header("x-request-id", "request-18").body(Body::empty()).unwrap();
    assert_eq!(answer(&app, request).await.status(), 200);
    assert_eq!(only(&monitor, r#"endpoint="/silent""#), r#"{request_id="request-18"}"#);
}

#[track_agent("named_by_trace", fields(run_id = 7, trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"))]
fn by_trace() {}

#[test]
fn a_trace_id_is_the_best_name() {
    let monitor = monitor();
    capture_logs(|| {
        let _request = tracing::info_span!("request", request_id = "request-19").entered();
        by_trace();
    });
    let named = only(&monitor, r#"agent_id="named_by_trace""#);
    assert_eq!(named, r#"{trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}"#);
}

#[track_agent("named_by_run", fields(run_id))]
fn by_run(run_id: u64) -> Result<(), String> {
    Err(format!("run {run_id}"))
}

#[test]
fn a_run_id_is_a_name_where_there_is_no_other() {
    let monitor = monitor();
    capture_logs(|| by_run(42).unwrap_err());
    assert_eq!(only(&monitor, r#"agent_id="named_by_run""#), r#"{run_id="42"}"#);
}

#[track_agent("named_late")]
fn late() {
    context::bind("trace_id", "bound-inside");
}

#[test]
fn ids_bound_during_a_call_identify_its_exemplar() {
    let monitor = monitor();
    capture_logs(late);
    assert_eq!(only(&monitor, r#"agent_id="named_late""#), r#"{trace_id="bound-inside"}"#);
}

#[track_agent("named_too_long", fields(trace_id = "t".repeat(121), request_id = "r".repeat(118)))]
fn too_long() {}

#[test]
fn an_id_that_openmetrics_has_no_room_for_is_passed_over() {
    let monitor = monitor();
    capture_logs(too_long);
    let expected = format!(r#"{{request_id="{}"}}"#, "r".repeat(118));
    assert_eq!(only(&monitor, r#"agent_id="named_too_long""#), expected);
}

#[track_agent("named_by_nothing")]
fn by_nothing() {}

#[test]
fn a_call_without_a_name_is_no_example() {
    let monitor = monitor();
    capture_logs(by_nothing);
    by_nothing();
    assert_eq!(exemplars(&monitor, r#"agent_id="named_by_nothing""#), [""; 0]);
}

#[track_agent("in_its_bucket", fields(trace_id = "in-its-bucket"))]
fn in_its_bucket() {
    std::hint::black_box(0);
}

#[test]
fn an_exemplar_lies_in_its_bucket_and_says_when_it_was() {
    let monitor = monitor();
    capture_logs(in_its_bucket);
    let scrape = scrape(&monitor, OPEN_METRICS);
    let is_it = |line: &&str| line.contains(r#"agent_id="in_its_bucket""#) && line.contains(" # ");
    let line = text(&scrape).lines().find(is_it).unwrap();
    let exemplar = line.split_once(" # ").unwrap().1;
    let [_, seconds, time] = exemplar.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{exemplar}") };
    let bound = line.split_once("le=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(seconds.parse::<f64>().unwrap() <= bound.parse().unwrap(), "{line}");
    assert!(time.parse::<f64>().unwrap() > 1.7e9, "{line}");
}

#[test]
fn the_text_format_has_none() {
    let monitor = monitor();
    capture_logs(in_its_bucket);
    assert!(!exemplars(&monitor, "in_its_bucket").is_empty());
    let scrape = scrape(&monitor, TEXT);
    assert!(!text(&scrape).lines().any(|line| line.contains(" # ")), "{}", text(&scrape));
}

#[track_agent("known_before", fields(trace_id = "known-before"))]
fn known_before() {}

#[test]
fn a_function_that_was_called_before_has_exemplars_from_then_on() {
    capture_logs(known_before);
    let monitor = monitor();
    capture_logs(known_before);
    assert_eq!(only(&monitor, r#"agent_id="known_before""#), r#"{trace_id="known-before"}"#);
}

/// Ids that no log line has as they are, and one that older readers take for the end of the labels.
const ESCAPED: [&str; 4] = ["a\"b", "c\\d", "e\\\"f", "s} # {t"];

/// Sends a request with each id, to a route and an agent of its own.
fn send_escaped(monitor: &Monitor, path: &'static str, agent: fn()) {
    let handler = async move || agent();
    let app = Router::new().route(path, get(handler)).layer(monitor.layer());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for id in ESCAPED {
        let request = Request::get(path).header("x-request-id", id).body(Body::empty()).unwrap();
        let response = runtime.block_on(answer(&app, request));
        assert_eq!(response.headers()["x-request-id"], id, "it is taken, so it is no example for being none");
    }
}

#[track_agent("escaped_silent")]
fn escaped_silent() {}

#[track_agent("escaped_logged", fields(trace_id = "g\"h", run_id = "i\\j"))]
fn escaped_logged() {}

#[track_agent("escaped_late")]
fn escaped_late() {
    context::bind("trace_id", "k\"l");
}

#[test]
fn an_id_that_readers_trip_over_is_no_example_on_any_path() {
    let monitor = monitor();
    send_escaped(&monitor, "/escaped_silent", escaped_silent);
    capture_logs(|| {
        send_escaped(&monitor, "/escaped_logged", escaped_logged);
        escaped_late();
    });
    for series in ["escaped_silent", "escaped_logged", "escaped_late"] {
        assert_eq!(exemplars(&monitor, series), [""; 0], "{series}");
    }
    let open_metrics = scrape(&monitor, OPEN_METRICS);
    python("openmetrics", text(&open_metrics)).unwrap();
    let message = scrape(&monitor, PROTOBUF);
    for id in ESCAPED.iter().chain(&["g\"h", "i\\j", "k\"l"]) {
        assert!(!message.windows(id.len()).any(|bytes| bytes == id.as_bytes()), "{id}");
    }
}

#[track_agent("plain_after_escaped", fields(trace_id = "m\"n"))]
fn plain_after_escaped() {}

#[test]
fn a_plain_request_id_stands_in_for_a_trace_id_that_is_escaped() {
    let monitor = monitor();
    let app = Router::new().route("/stands_in", get(async || plain_after_escaped())).layer(monitor.layer());
    let id = "o'p # {q=,";
    let request = Request::get("/stands_in").header("x-request-id", id).body(Body::empty()).unwrap();
    capture_logs(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(answer(&app, request)).status(), 200);
    });
    let open_metrics = scrape(&monitor, OPEN_METRICS);
    let read = python("openmetrics", text(&open_metrics)).unwrap();
    for series in ["'agent_id': 'plain_after_escaped'", "'endpoint': '/stands_in'"] {
        let named = read.lines().filter(|line| line.contains(series) && line.contains(id));
        assert_eq!(named.count(), 1, "{series}: {read}");
    }
}
