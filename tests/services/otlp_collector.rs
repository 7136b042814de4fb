//! The export, to a collector that is not ours: Rotel takes it over both protocols, and passes it on to a receiver of the test's.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use flate2::read::GzDecoder;
use http::{HeaderMap, Uri};
use monitor_runtime::logging::Logging;
use monitor_runtime::otlp::Otlp;
use monitor_runtime::{metrics, track_agent};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message as _;
use tokio::runtime::Runtime;

use crate::support::service::eventually;
use crate::support::subprocess::{self, Subprocess};

const LONG: Duration = Duration::from_mins(1);
const CALLS: usize = 7;

/// A process that makes calls and exports them.
const SERVICE: Subprocess = Subprocess::new(module_path!(), "service");

#[track_agent("relayed")]
fn work() {}

#[test]
#[ignore = "run by the other test, in a process of its own"]
fn service() {
    if subprocess::part().is_none() {
        return;
    }
    let otlp = Otlp::builder().start().unwrap();
    let logs = Logging::builder().traces(&otlp).init().unwrap();
    (0..CALLS).for_each(|_| work());
    drop(otlp);
    drop(logs);
    print!("{}", metrics::render());
    std::process::exit(0);
}

/// The pushes that came through.
#[derive(Default)]
struct Received {
    traces: Vec<ResourceSpans>,
    metrics: Vec<ResourceMetrics>,
}

type Shared = Arc<(Mutex<Received>, Condvar)>;

/// A body as it was before it was compressed: Rotel compresses, whatever it is told.
fn plain(headers: &HeaderMap, body: &Bytes) -> Vec<u8> {
    let mut plain = Vec::new();
    match headers.get("content-encoding").map(|encoding| encoding.to_str().unwrap()) {
        None => plain.extend_from_slice(body),
        Some("gzip") => {
            GzDecoder::new(&**body).read_to_end(&mut plain).unwrap();
        }
        Some(other) => panic!("{other}"),
    }
    plain
}

async fn receive(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let body = &*plain(&headers, &body);
    let mut received = shared.0.lock().unwrap();
    match uri.path() {
        "/v1/traces" => {
            received.traces.extend(ExportTraceServiceRequest::decode(body).unwrap().resource_spans);
        }
        "/v1/metrics" => {
            received.metrics.extend(ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics);
        }
        other => panic!("{other}"),
    }
    drop(received);
    shared.1.notify_all();
}

fn receiver() -> (Runtime, SocketAddr, Shared) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let (address, shared) = (listener.local_addr().unwrap(), Shared::default());
    let app = Router::new().fallback(receive).with_state(Arc::clone(&shared));
    runtime.spawn(async move { axum::serve(listener, app).await });
    (runtime, address, shared)
}

/// Killed when dropped.
struct Rotel {
    process: Child,
    /// Where it takes gRPC and HTTP.
    addresses: [SocketAddr; 2],
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Rotel {
    fn start(to: SocketAddr) -> Self {
        let program = std::env::var_os("MONITOR_TEST_ROTEL");
        let program: PathBuf =
            program.expect("MONITOR_TEST_ROTEL is not set; run scripts/test, which downloads Rotel").into();
        // It cannot choose ports by itself. Another process may take one of these first; then the next ones are tried.
        for _ in 0..5 {
            let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
            let addresses = free.each_ref().map(|listener| listener.local_addr().unwrap());
            drop(free);
            let mut command = Command::new(&program);
            command.args(["start", "--otlp-grpc-endpoint", &addresses[0].to_string()]);
            command.args(["--otlp-http-endpoint", &addresses[1].to_string(), "--exporter", "otlp"]);
            command.args(["--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint"]);
            command.args([&format!("http://{to}"), "--batch-timeout", "50ms"]);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let mut rotel = Self { process: command.spawn().unwrap(), addresses };
            let has_started = eventually("Rotel listens, or has ended", || {
                let is_there = rotel.addresses.iter().all(|address| TcpStream::connect(address).is_ok());
                let has_ended = rotel.process.try_wait().unwrap().is_some();
                (is_there || has_ended).then_some(!has_ended)
            });
            if has_started {
                return rotel;
            }
        }
        panic!("Rotel does not start");
    }
}

/// Whether a resource is the service of that name.
fn is_of(resource: Option<&Resource>, service: &str) -> bool {
    let is_name = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        pair.key == "service.name" && value == Some(&Value::StringValue(service.to_owned()))
    };
    resource.is_some_and(|resource| resource.attributes.iter().any(is_name))
}

/// The spans of a service, and its calls by the counter.
fn counted(received: &Received, service: &str) -> (usize, i64) {
    let ours = received.traces.iter().filter(|of| is_of(of.resource.as_ref(), service));
    let spans = ours.flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans);
    let spans = spans.filter(|span| span.name == "invoke_agent relayed").count();
    let ours = received.metrics.iter().filter(|of| is_of(of.resource.as_ref(), service));
    let metrics = ours.flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
    let counters = metrics.filter(|metric| metric.name == "agent_executions_total");
    let calls = counters.filter_map(|metric| match &metric.data {
        Some(Data::Sum(sum)) => Some(sum.data_points.iter().map(|point| match point.value {
            Some(Number::AsInt(calls)) => calls,
            other => panic!("{other:?}"),
        })),
        _ => None,
    });
    (spans, calls.flatten().sum())
}

#[test]
fn a_real_collector_takes_spans_and_metrics_over_both_protocols() {
    let (_runtime, address, shared) = receiver();
    let rotel = Rotel::start(address);
    let [grpc, http] = rotel.addresses.map(|address| format!("http://{address}"));
    for (service, protocol, endpoint, compression, temporality) in [
        ("grpc", "grpc", &grpc, "none", "delta"),
        ("grpc and gzip", "grpc", &grpc, "gzip", "cumulative"),
        ("http", "http/protobuf", &http, "none", "delta"),
        ("http and gzip", "http/protobuf", &http, "gzip", "cumulative"),
    ] {
        let mut process = SERVICE.command("");
        process.envs([
            ("OTEL_SERVICE_NAME", service),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality),
        ]);
        let output = process.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for signal in ["traces", "metrics"] {
            let has = |line: String| assert!(text.contains(&line), "{service}: {text}");
            has(format!("otlp_exports_total{{outcome=\"success\",signal=\"{signal}\"}} 1\n"));
            has(format!("otlp_dropped_total{{signal=\"{signal}\"}} 0\n"));
        }
        let expected = (CALLS, i64::try_from(CALLS).unwrap());
        let waits = |received: &mut Received| counted(received, service) != expected;
        let waited = shared.1.wait_timeout_while(shared.0.lock().unwrap(), LONG, waits).unwrap();
        assert_eq!(counted(&waited.0, service), expected, "{service}");
    }
}
