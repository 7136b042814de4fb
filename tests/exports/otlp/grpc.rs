//! The same over gRPC.

use std::time::{Duration, Instant};

use monitor_runtime::otlp::{Otlp, OtlpBuilder, OtlpProtocol};
use monitor_runtime::testing::Recording;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use tonic::Code;

use crate::otlp::certificates::Authority;
use crate::otlp::collector::{Answer, Collector};
use crate::otlp::collector_failures::{counted, record};
use crate::otlp::{flush, turn};
use crate::support::closed_port::ClosedPort;

fn builder(url: &str) -> OtlpBuilder {
    Otlp::builder().endpoint(url).protocol(OtlpProtocol::Grpc).registry(prometheus::Registry::new())
}

/// `google.rpc.Status` with a `RetryInfo` of so many seconds, below 128.
fn retry_after(seconds: u8) -> Vec<u8> {
    let kind = b"type.googleapis.com/google.rpc.RetryInfo";
    let delay = if seconds == 0 { vec![0x0a, 0] } else { vec![0x0a, 2, 0x08, seconds] };
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let any = [&[0x0a, length(kind)], &kind[..], &[0x12, length(&delay)], &delay[..]].concat();
    [&[0x1a, length(&any)], &any[..]].concat()
}

#[test]
fn spans_and_metrics_arrive_over_grpc_with_their_metadata() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::grpc(None);
    let otlp = Otlp::builder().endpoint(collector.url()).protocol(OtlpProtocol::Grpc);
    let otlp = otlp.header("api-key", "abc").gzip(true).start().unwrap();
    record(&otlp, 3);
    flush(&otlp);
    record(&otlp, 2);
    flush(&otlp);

    assert_eq!(counted(&recording), [2.0, 0.0, 0.0, 0.0]);
    assert_eq!(collector.spans().len(), 5);
    let received = collector.received();
    let metrics = received.metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
    assert!(metrics.clone().any(|metric| metric.name == "agent_executions_total"));
    let (_, headers) = received.requests.iter().find(|(signal, _)| signal == "traces").unwrap();
    assert_eq!(
        (&headers["api-key"], &headers["grpc-encoding"]),
        (&"abc".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert!(headers["user-agent"].to_str().unwrap().starts_with("monitor-runtime/"));
    assert!(headers.contains_key("grpc-timeout"));
}

#[test]
fn a_busy_collector_is_asked_again_when_its_retry_info_says_so() {
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        let _turn = turn();
        let recording = Recording::start();
        let collector = Collector::grpc(None);
        collector.will([Answer::Code(code, retry_after(3))]);
        let otlp = builder(&collector.url()).start().unwrap();
        record(&otlp, 3);
        let began = Instant::now();
        flush(&otlp);
        assert_eq!(counted(&recording), [1.0, 0.0, 1.0, 0.0], "{code:?}");
        assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[test]
fn a_status_that_is_not_retried_drops_the_batch() {
    for code in [Code::ResourceExhausted, Code::Unauthenticated, Code::InvalidArgument, Code::Unimplemented] {
        let _turn = turn();
        let recording = Recording::start();
        let collector = Collector::grpc(None);
        collector.will([Answer::Code(code, Vec::new())]);
        let otlp = builder(&collector.url()).start().unwrap();
        record(&otlp, 3);
        flush(&otlp);
        assert_eq!(counted(&recording), [0.0, 1.0, 0.0, 3.0], "{code:?}");
        assert_eq!(collector.received().requests.len(), 1);
    }
}

#[test]
fn rejected_spans_of_an_accepted_batch_are_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::grpc(None);
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".to_owned() };
    let response = ExportTraceServiceResponse { partial_success: Some(partial) };
    collector.will([Answer::Body(response.encode_to_vec())]);
    let otlp = builder(&collector.url()).start().unwrap();
    record(&otlp, 3);
    flush(&otlp);
    assert_eq!(counted(&recording), [1.0, 0.0, 0.0, 2.0]);
}

#[test]
fn a_silent_collector_is_unavailable_and_asked_again() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::grpc(None);
    collector.will([Answer::Never]);
    let otlp = builder(&collector.url()).timeout(Duration::from_millis(500)).start().unwrap();
    record(&otlp, 1);
    flush(&otlp);
    let [success, rejected, unavailable, dropped] = counted(&recording);
    assert_eq!([success, rejected, dropped], [1.0, 0.0, 0.0]);
    assert!(unavailable >= 1.0, "{unavailable}");
}

#[test]
fn spans_for_an_absent_collector_are_counted_as_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let closed = ClosedPort::take();
    let otlp = builder(&format!("http://{}", closed.address)).start().unwrap();
    record(&otlp, 7);
    drop(otlp);
    let [success, rejected, unavailable, dropped] = counted(&recording);
    assert_eq!((success, rejected, dropped), (0.0, 0.0, 7.0));
    assert!(unavailable >= 1.0);
}

#[test]
fn a_server_of_http_is_no_collector_of_grpc() {
    let _turn = turn();
    let recording = Recording::start();
    let authority = Authority::new();
    let collector = Collector::secure(authority.server(&["127.0.0.1"], false));
    let otlp = builder(&collector.url()).certificate(authority.certificate()).start().unwrap();
    record(&otlp, 3);
    drop(otlp);
    assert_eq!(counted(&recording), [0.0, 0.0, 1.0, 3.0]);
}

#[test]
fn over_tls_the_client_shows_its_certificate() {
    let _turn = turn();
    let recording = Recording::start();
    let authority = Authority::new();
    let collector = Collector::grpc(Some(authority.server(&["localhost", "127.0.0.1"], true)));
    let (certificate, key) = authority.client("service");
    // Without a scheme: TLS.
    let otlp = builder(&format!("127.0.0.1:{}", collector.port()));
    let otlp = otlp.certificate(authority.certificate()).client_identity(certificate, key).start().unwrap();
    record(&otlp, 3);
    flush(&otlp);
    assert_eq!(counted(&recording), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(collector.spans().len(), 3);
}
