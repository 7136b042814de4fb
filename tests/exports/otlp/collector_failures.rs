//! Collectors that refuse, ask for a pause, hang or are absent: a recording thread never waits, and every lost span is counted.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use monitor_runtime::otlp::{Otlp, OtlpGuard};
use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::otlp::collector::{Answer, Collector};
use crate::otlp::{flush, turn};
use crate::support::closed_port::ClosedPort;

/// The default sizes of the queue and of a batch.
const QUEUE: usize = 2_048;
const BATCH: usize = 512;

#[track_agent("worker")]
fn work() {}

pub(crate) fn record(otlp: &OtlpGuard, calls: usize) {
    with_default(tracing_subscriber::registry().with(otlp.layer()), || (0..calls).for_each(|_| work()));
}

fn start(url: &str) -> OtlpGuard {
    // Metrics go nowhere, so that each request is one of spans.
    Otlp::builder().endpoint(url).registry(prometheus::Registry::new()).start().unwrap()
}

/// The counts of the span export since `recording` began.
pub(crate) fn counted(recording: &Recording) -> [f64; 4] {
    let exports =
        |outcome| recording.value("otlp_exports_total", &[("signal", "traces"), ("outcome", outcome)]);
    let dropped = recording.value("otlp_dropped_total", &[("signal", "traces")]);
    [exports("success"), exports("rejected"), exports("unavailable"), dropped]
}

#[test]
fn a_permanently_refused_batch_is_dropped_and_not_resent() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    collector.will([Answer::Status(400)]);
    let otlp = start(&collector.url());
    record(&otlp, 3);

    flush(&otlp);
    record(&otlp, 2);
    flush(&otlp);
    assert_eq!(counted(&recording), [1.0, 1.0, 0.0, 3.0]);
    assert_eq!(collector.received().requests.len(), 2);
}

#[test]
fn a_temporarily_refused_batch_is_resent_at_the_time_asked_for() {
    for status in [429, 502, 503, 504] {
        let _turn = turn();
        let recording = Recording::start();
        let collector = Collector::start();
        collector.will([Answer::RetryAfter(status, "0"), Answer::RetryAfter(status, "0")]);
        let otlp = start(&collector.url());
        record(&otlp, 3);

        flush(&otlp);
        assert_eq!(counted(&recording), [1.0, 0.0, 2.0, 0.0], "{status}");
        assert_eq!(collector.spans().len(), 9, "the same three, three times");
    }
}

#[test]
fn a_collector_that_names_a_date_is_asked_again_no_earlier() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    // Dates have whole seconds: four from now are more than three, and more than any pause of our own.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(4));
    collector.will([Answer::RetryAfter(503, date.leak())]);
    let otlp = start(&collector.url());
    record(&otlp, 3);

    let began = Instant::now();
    flush(&otlp);
    assert_eq!(counted(&recording), [1.0, 0.0, 1.0, 0.0]);
    assert!(began.elapsed() > Duration::from_millis(2_500), "{:?}", began.elapsed());
}

#[test]
fn retries_asked_for_at_once_are_still_spaced_out() {
    for after in ["0", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        let _turn = turn();
        let recording = Recording::start();
        let collector = Collector::start();
        collector.will((0..1_000).map(|_| Answer::RetryAfter(503, after)));
        let otlp = start(&collector.url());
        record(&otlp, 1);
        // It waits five seconds at most.
        let _ = otlp.flush();

        let [_, _, unavailable, _] = counted(&recording);
        assert!((1.0..20.0).contains(&unavailable), "asked {unavailable} times");
        collector.received().answers.clear();
    }
}

#[test]
fn a_408_of_the_collector_drops_the_batch() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    collector.will([Answer::RetryAfter(408, "0")]);
    let otlp = start(&collector.url());
    record(&otlp, 3);

    flush(&otlp);
    assert_eq!(counted(&recording), [0.0, 1.0, 0.0, 3.0]);
}

#[test]
fn requests_keep_the_path_and_query_of_the_collectors_url() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = start(&format!("{}/otlp?key=abc", collector.url()));
    record(&otlp, 1);
    flush(&otlp);
    let received = collector.received();
    let asked: Vec<_> = received.requests.iter().map(|(asked, _)| asked).collect();
    assert_eq!(asked, ["/otlp/v1/traces?key=abc"]);
}

#[test]
fn a_given_header_replaces_the_exports_own() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).registry(prometheus::Registry::new());
    let otlp = otlp.header("host", "vendor.test").header("user-agent", "ours").start().unwrap();
    record(&otlp, 1);
    flush(&otlp);
    let received = collector.received();
    let headers = &received.requests[0].1;
    assert_eq!(headers.get_all("host").iter().collect::<Vec<_>>(), ["vendor.test"]);
    assert_eq!(headers.get_all("user-agent").iter().collect::<Vec<_>>(), ["ours"]);
}

#[test]
fn without_retry_after_a_batch_is_resent_after_our_backoff() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    collector.will([Answer::Status(503)]);
    let otlp = start(&collector.url());
    record(&otlp, 1);

    flush(&otlp);
    assert_eq!(counted(&recording), [1.0, 0.0, 1.0, 0.0]);
}

/// Reads one request of HTTP/1.1 and accepts it.
fn accept(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
}

#[test]
fn a_connection_closed_between_batches_costs_no_request() {
    let _turn = turn();
    let recording = Recording::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (closed, is_closed) = mpsc::channel();
    let collector = thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            accept(stream.unwrap());
            closed.send(()).unwrap();
        }
    });
    let otlp = start(&url);
    for _ in 0..2 {
        record(&otlp, 3);
        flush(&otlp);
        is_closed.recv().unwrap();
    }
    collector.join().unwrap();
    assert_eq!(counted(&recording), [2.0, 0.0, 0.0, 0.0]);
}

#[test]
fn during_a_long_retry_after_spans_are_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    collector.will([Answer::RetryAfter(429, "3600")]);
    let otlp = start(&collector.url());
    record(&otlp, 3);
    flush(&otlp);
    record(&otlp, 2);
    flush(&otlp);

    assert_eq!(counted(&recording), [0.0, 0.0, 1.0, 5.0]);
    assert_eq!(collector.received().requests.len(), 1);
}

#[test]
fn rejected_spans_of_an_accepted_batch_are_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".to_owned() };
    let response = ExportTraceServiceResponse { partial_success: Some(partial) };
    collector.will([Answer::Body(response.encode_to_vec())]);
    let otlp = start(&collector.url());
    record(&otlp, 3);

    flush(&otlp);
    assert_eq!(counted(&recording), [1.0, 0.0, 0.0, 2.0]);
}

#[test]
fn a_silent_collector_blocks_no_call_and_the_queue_is_bounded() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    collector.will([Answer::Never]);
    let otlp = start(&collector.url());
    record(&otlp, BATCH);
    drop(collector.wait_until(|received| received.traces.len() == 1));

    // The one thread that sends is held by a request that is never answered. All of these calls return all the same.
    record(&otlp, QUEUE + 100);
    assert_eq!(
        recording.value("agent_executions_total", &[("agent_id", "worker")]),
        (BATCH + QUEUE + 100) as f64
    );
    assert_eq!(recording.value("otlp_dropped_total", &[("signal", "traces")]), 100.0);
    assert_eq!(collector.received().traces.len(), 1);
    // Gives up the queued spans before the next test counts.
    drop(collector);
    drop(otlp);
}

#[test]
fn a_request_that_is_not_answered_in_time_counts_as_unavailable() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    collector.will([Answer::Never]);
    let otlp = Otlp::builder().endpoint(collector.url()).timeout(Duration::from_millis(500));
    let otlp = otlp.registry(prometheus::Registry::new()).start().unwrap();
    record(&otlp, 1);

    flush(&otlp);
    // On a slow machine the answer to a later try may come too late as well.
    let [success, rejected, unavailable, dropped] = counted(&recording);
    assert_eq!([success, rejected, dropped], [1.0, 0.0, 0.0]);
    assert!(unavailable >= 1.0, "{unavailable}");
}

#[test]
fn spans_for_an_absent_collector_are_counted_as_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let closed = ClosedPort::take();
    let otlp = start(&format!("http://{}", closed.address));
    record(&otlp, 7);
    drop(otlp);

    let [success, rejected, unavailable, dropped] = counted(&recording);
    assert_eq!((success, rejected, dropped), (0.0, 0.0, 7.0));
    assert!(unavailable >= 1.0);
}

#[test]
fn spans_that_end_after_the_export_has_ended_are_dropped() {
    let _turn = turn();
    let recording = Recording::start();
    let collector = Collector::start();
    let otlp = start(&collector.url());
    let subscriber = tracing_subscriber::registry().with(otlp.layer());
    drop(otlp);
    with_default(subscriber, work);

    assert_eq!(counted(&recording), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_end_of_the_export_sends_what_waits() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = start(&collector.url());
    record(&otlp, 3);
    drop(otlp);

    assert_eq!(collector.spans().len(), 3);
}

#[test]
fn a_full_batch_is_sent_before_its_time() {
    let _turn = turn();
    let collector = Collector::start();
    let otlp = start(&collector.url());
    record(&otlp, BATCH);

    drop(collector.wait_until(|received| !received.traces.is_empty()));
    assert_eq!(collector.spans().len(), BATCH);
}
