//! The id of a run, in the run, its log lines, its trace and its exemplars.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use monitor_runtime::genai;
use monitor_runtime::otlp::Otlp;
use monitor_runtime::run::{self, RunId};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, logging::Logging, metrics, track_agent, track_skill};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;
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

#[track_agent("ids_exported")]
fn exported() -> RunId {
    tracing::info_span!("inside").in_scope(step);
    genai::call("local", "ids").finish("stop");
    run::current().unwrap().id()
}

/// Takes one request over HTTP, and returns its path and its body.
fn take_one(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut read, mut bytes) = (Vec::new(), [0; 4_096]);
    loop {
        let length = stream.read(&mut bytes).unwrap();
        assert!(length > 0, "it ended early");
        read.extend_from_slice(&bytes[..length]);
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if read.len() >= end + 4 + length {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            let path = head.split(' ').nth(1).unwrap().to_owned();
            return (path, read.split_off(end + 4));
        }
    }
}

#[test]
fn an_exported_span_has_the_id_of_its_run() {
    runs();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp =
        Otlp::builder().endpoint(format!("http://{}", listener.local_addr().unwrap())).start().unwrap();
    let (send, taken) = mpsc::channel();
    thread::spawn(move || {
        // The metrics come to the same address. Each request is answered until the process ends.
        loop {
            let (path, body) = take_one(&listener);
            if path == "/v1/traces" {
                let _ = send.send(body);
            }
        }
    });
    let id = tracing::subscriber::with_default(tracing_subscriber::registry().with(otlp.layer()), || {
        tracing::info_span!("outside").in_scope(exported)
    });
    otlp.flush();

    let run_id = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        let attribute = span.attributes.iter().find(|known| known.key == "monitor.run_id")?;
        match attribute.value.clone()?.value? {
            Value::StringValue(id) => Some(id),
            other => panic!("{other:?}"),
        }
    };
    let body = taken.recv_timeout(Duration::from_mins(1)).unwrap();
    let request = ExportTraceServiceRequest::decode(&*body).unwrap();
    let scoped = request.resource_spans.iter().flat_map(|of| &of.scope_spans);
    let spans = scoped.flat_map(|of| &of.spans);
    let spans: BTreeMap<_, _> = spans.map(|span| (span.name.clone(), run_id(span))).collect();
    let id = Some(id.to_string());
    let expected = [
        ("chat ids", &id),
        ("execute_tool ids_step", &id),
        ("inside", &id),
        ("invoke_agent ids_exported", &id),
        ("outside", &None),
    ];
    assert_eq!(spans, expected.map(|(name, id)| (name.to_owned(), id.clone())).into());
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
