//! The id of a run, in the run, its log lines, its trace and its exemplars.

use monitor_runtime::otlp::Otlp;
use monitor_runtime::run::{self, RunId};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, logging::Logging, metrics, track_agent, track_skill};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::runs;

#[track_skill("ids_step")]
fn step() {
    tracing::info!("step");
}

#[track_agent("ids_said")]
fn say() -> RunId {
    tracing::info!(target: "ids", "begun");
    step();
    run::current().unwrap().id()
}

#[test]
fn every_line_inside_a_run_has_its_id() {
    runs();
    let mut id = None;
    let lines = capture_logs(|| {
        tracing::info!("before");
        id = Some(say());
        tracing::info!("after");
    });
    let id = id.unwrap().to_string();
    let ids: Vec<_> =
        lines.iter().map(|line| (line["event"].as_str().unwrap(), line["run_id"].as_str())).collect();
    assert_eq!(ids, [("before", None), ("begun", Some(&*id)), ("step", Some(&*id)), ("after", None)]);
}

#[track_agent("ids_own_field")]
fn say_own() {
    tracing::info!(run_id = 7, "own");
}

#[test]
fn a_field_of_that_name_stays_as_it_is() {
    runs();
    let lines = capture_logs(say_own);
    assert_eq!(lines[0]["run_id"], 7);
    assert!(lines[0].get("field.run_id").is_none(), "{lines:?}");
}

#[track_agent("ids_traced")]
fn traced() -> (RunId, String) {
    (run::current().unwrap().id(), context::trace_context().unwrap().trace_id().to_owned())
}

#[test]
fn a_run_in_a_trace_has_the_id_of_the_trace_though_sampled_out() {
    let runs = runs();
    // Nothing listens there, and nothing waits for it.
    let otlp = Otlp::builder().endpoint("http://127.0.0.1:1").start().unwrap();
    let (lines, _logs) = Logging::builder().layer().unwrap();
    let subscriber = tracing_subscriber::registry().with(otlp.layer()).with(lines);
    let (id, trace) = tracing::subscriber::with_default(subscriber, traced);
    assert_eq!(id.to_string(), trace);
    assert_eq!(runs.find(id)[0].agent(), "ids_traced");
    std::mem::forget(otlp);
}

#[track_agent("ids_exemplar")]
fn is_exemplary() -> RunId {
    run::current().unwrap().id()
}

#[test]
fn an_exemplar_without_another_id_has_that_of_the_run() {
    runs();
    metrics::builder().exemplars(true).init().unwrap();
    let recording = Recording::start();
    let id = is_exemplary();
    assert_eq!(recording.value("agent_executions_total", &[("agent_id", "ids_exemplar")]), 1.0);
    let monitor = monitor_runtime::Monitor::builder().build().unwrap();
    let mut asked = http::HeaderMap::new();
    asked.insert(http::header::ACCEPT, "application/openmetrics-text; version=1.0.0".parse().unwrap());
    let text = String::from_utf8(monitor.scrape(&asked).body().to_vec()).unwrap();
    assert!(text.contains(&format!("# {{run_id=\"{id}\"}}")), "{text}");
    assert_eq!(monitor.runs().unwrap().find(id).len(), 1);
}
