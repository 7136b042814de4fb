//! A collector: takes what is pushed, decodes it, and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message as _;
use tokio::runtime::Runtime;
use tokio_rustls::rustls::ServerConfig;
use tonic::{Code, Status};

use crate::otlp::doors;

const LONG: Duration = Duration::from_mins(1);

/// The answers to the next requests; without one, it accepts a request.
pub(crate) enum Answer {
    Status(u16),
    RetryAfter(u16, &'static str),
    Body(Vec<u8>),
    /// Over gRPC: a code, with what its details say.
    Code(Code, Vec<u8>),
    /// Nothing, as long as it lives.
    Never,
}

/// A collector on a free port, gone when dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<Received>,
    arrived: Condvar,
}

/// The requests received, with any answer.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) requests: Vec<(String, HeaderMap)>,
    pub(crate) traces: Vec<ResourceSpans>,
    pub(crate) metrics: Vec<ResourceMetrics>,
}

impl Collector {
    /// Over HTTP without TLS.
    pub(crate) fn start() -> Self {
        Self::open(None, false)
    }

    /// Over HTTP with TLS.
    pub(crate) fn secure(tls: ServerConfig) -> Self {
        Self::open(Some(tls), false)
    }

    /// Over gRPC, with TLS or not.
    pub(crate) fn grpc(tls: Option<ServerConfig>) -> Self {
        Self::open(tls, true)
    }

    fn open(tls: Option<ServerConfig>, is_grpc: bool) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::<Shared>::default();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let app = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let grpc = is_grpc.then(|| Arc::clone(&shared));
        let address = runtime.block_on(doors::open(tls, app, grpc));
        Self { address, scheme, shared, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Says what to do with the next requests.
    pub(crate) fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.received().answers.extend(answers);
    }

    pub(crate) fn received(&self) -> MutexGuard<'_, Received> {
        self.shared.state.lock().unwrap()
    }

    /// Waits until it is so; what arrives wakes it.
    pub(crate) fn wait_until(&self, is_so: impl Fn(&Received) -> bool) -> MutexGuard<'_, Received> {
        let waited =
            self.shared.arrived.wait_timeout_while(self.received(), LONG, |received| !is_so(received));
        let (received, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "it did not come to be: {:?}", received.requests);
        received
    }

    /// Every span that arrived, in the order of arrival.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let received = self.received();
        let all = received.traces.iter().flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans);
        all.map(Span::of).collect()
    }

    /// The span of that name, which came once.
    #[track_caller]
    pub(crate) fn span(&self, name: &str) -> Span {
        let mut spans = self.spans();
        let names: Vec<_> = spans.iter().map(|span| span.name.clone()).collect();
        spans.retain(|span| span.name == name);
        assert_eq!(spans.len(), 1, "{name} in {names:?}");
        spans.remove(0)
    }
}

/// A span, with what tests look at made plain.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for a root.
    pub(crate) parent: String,
    pub(crate) is_remote: bool,
    pub(crate) state: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The status's code and message; code 2 is an error.
    pub(crate) status: (i32, String),
    pub(crate) nanos: u64,
}

impl Span {
    fn of(span: &opentelemetry_proto::tonic::trace::v1::Span) -> Self {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0);
        let status = span.status.clone().unwrap_or_default();
        Self {
            name: span.name.clone(),
            kind: span.kind,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            is_remote: span.flags & 0x200 != 0,
            state: span.trace_state.clone(),
            attributes: attributes(&span.attributes),
            status: (status.code, status.message),
            nanos: span.end_time_unix_nano - span.start_time_unix_nano,
        }
    }

    #[track_caller]
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).unwrap_or_else(|| panic!("{name} in {:?}", self.attributes))
    }
}

/// Attributes as text; none comes twice.
pub(crate) fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    let shown = of.iter().map(|pair| (pair.key.clone(), shown(pair.value.as_ref())));
    let attributes: BTreeMap<_, _> = shown.collect();
    assert_eq!(attributes.len(), of.len(), "a key comes twice: {of:?}");
    attributes
}

fn shown(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::ArrayValue(list)) => {
            let values: Vec<_> = list.values.iter().map(|value| shown(Some(value))).collect();
            format!("[{}]", values.join(", "))
        }
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl Shared {
    /// Takes a request over gRPC, and returns its answer.
    pub(crate) async fn take(
        &self,
        path: &str,
        headers: HeaderMap,
        keep: impl FnOnce(&mut Received),
    ) -> Result<Option<Vec<u8>>, Status> {
        let answer = {
            let mut received = self.state.lock().unwrap();
            keep(&mut received);
            received.requests.push((path.to_owned(), headers));
            received.answers.pop_front()
        };
        self.arrived.notify_all();
        match answer {
            None => Ok(None),
            Some(Answer::Body(body)) => Ok(Some(body)),
            Some(Answer::Code(code, details)) => Err(Status::with_details(code, "told to", details.into())),
            Some(Answer::Never) => std::future::pending().await,
            Some(Answer::Status(_) | Answer::RetryAfter(..)) => panic!("gRPC has no such answer"),
        }
    }
}

/// A body as it was before it was compressed, if it was.
fn plain(headers: &HeaderMap, body: Bytes) -> Bytes {
    match headers.get("content-encoding").map(|encoding| encoding.to_str().unwrap()) {
        None => body,
        Some("gzip") => {
            let mut plain = Vec::new();
            GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
            plain.into()
        }
        Some(other) => panic!("{other}"),
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let body = plain(&headers, body);
    let answer = {
        let mut received = shared.state.lock().unwrap();
        match uri.path() {
            "/v1/metrics" => {
                received.metrics.extend(ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics);
            }
            _ => received.traces.extend(ExportTraceServiceRequest::decode(body).unwrap().resource_spans),
        }
        received.requests.push((uri.to_string(), headers));
        received.answers.pop_front()
    };
    shared.arrived.notify_all();
    match answer {
        None => StatusCode::OK.into_response(),
        Some(Answer::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Answer::RetryAfter(status, after)) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", after)]).into_response()
        }
        Some(Answer::Body(body)) => body.into_response(),
        Some(Answer::Code(..)) => panic!("HTTP has no such answer"),
        Some(Answer::Never) => std::future::pending().await,
    }
}
