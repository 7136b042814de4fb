//! `Monitor::serve` on a real socket, stopped by real signals.
//!
//! One test at a time, since a signal stops every server of the process.

#[path = "support/tcp.rs"]
mod tcp;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, MonitorBuilder, metrics};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use tcp::eventually;

static ALONE: Mutex<()> = Mutex::const_new(());

/// More than any of these tests takes, and less than a server waits by default.
const SOON: Duration = Duration::from_secs(10);

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    Ok(response)
}

async fn serve(monitor: &Monitor) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let app = Router::new()
        .route("/quick", get(async || "quick"))
        .route("/echo", post(async |body: String| body))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(500)).await))
        .route("/health/live", get(async || "the application's own"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let monitor = monitor.clone();
    (address, tokio::spawn(async move { monitor.serve(listener, app).await }))
}

fn signal_self(signal: &str) {
    let sent = Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap();
    assert!(sent.success());
}

async fn in_flight(requests: u32) {
    let line = format!("http_requests_in_flight {requests}\n");
    eventually(&line, async || metrics::render().contains(&line)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_served_app_is_measured_probed_and_stopped_without_losing_requests() {
    let _alone = ALONE.lock().await;
    let monitor = Monitor::builder().build().unwrap();
    for signal in ["-TERM", "-INT"] {
        let (address, server) = serve(&monitor).await;

        let quick = ask(address, "/quick").await.unwrap();
        assert!(quick.starts_with("HTTP/1.1 200 OK\r\n") && quick.ends_with("\r\n\r\nquick"), "{quick}");
        assert!(quick.contains("\r\nx-request-id: "), "the app is inside the layer: {quick}");
        assert!(ask(address, "/nowhere").await.unwrap().starts_with("HTTP/1.1 404 "));

        let live = ask(address, "/health/live").await.unwrap();
        assert!(live.ends_with("\r\n\r\n{\"status\":\"alive\"}"), "ours comes first: {live}");
        assert!(!live.contains("x-request-id"), "our routes are outside the layer: {live}");

        let text = ask(address, "/health/metrics").await.unwrap();
        assert!(
            text.contains("http_requests_total{method=\"GET\",endpoint=\"/quick\",status=\"200\"}"),
            "{text}"
        );
        assert!(!text.contains("endpoint=\"/health"), "{text}");

        let slow = tokio::spawn(async move { ask(address, "/slow").await });
        in_flight(1).await;
        signal_self(signal);
        assert!(
            slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 OK\r\n"),
            "{signal} cut a request off"
        );
        server.await.unwrap().unwrap();
        assert!(ask(address, "/quick").await.is_err(), "{signal} left the server accepting");
    }
}

/// Serves a client who sends `half` and no more, has the process stopped by `stop`, and tells how long `serve` went on
/// from then and which warnings it logged.
fn stopped_beside(half: &str, monitor: MonitorBuilder, stop: impl AsyncFnOnce()) -> (Duration, Vec<Value>) {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut took = Duration::ZERO;
    let mut lines = capture_logs(|| {
        runtime.block_on(async {
            let (address, server) = serve(&monitor.build().unwrap()).await;
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(half.as_bytes()).await.unwrap();
            // Connections are taken in their order, so by the answer the first has been read.
            ask(address, "/quick").await.unwrap();
            let told = Instant::now();
            stop().await;
            tokio::time::timeout(SOON, server).await.expect("stops").unwrap().unwrap();
            took = told.elapsed();
        });
    });
    lines.retain(|line| line["level"] == "warn");
    (took, lines)
}

const HALF_A_HEAD: &str = "GET /quick HTTP/1.1\r\nhost: te";
const HALF_A_BODY: &str = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf";

fn assert_says(warning: &Value, reason: &str, requests_in_flight: u64) {
    assert_eq!(warning["logger"], "monitor_runtime::serve");
    assert_eq!(warning["event"], "stopped with connections open");
    assert_eq!(warning["reason"], reason);
    assert_eq!(warning["requests_in_flight"], json!(requests_in_flight));
}

#[test]
fn a_client_who_never_ends_keeps_the_process_for_the_shutdown_timeout_only() {
    let timeout = Duration::from_millis(200);
    for (half, requests) in [(HALF_A_HEAD, 0), (HALF_A_BODY, 1)] {
        let monitor = Monitor::builder().shutdown_timeout(timeout);
        let (took, warnings) = stopped_beside(half, monitor, async || signal_self("-TERM"));
        assert!(took >= timeout, "{took:?}");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_says(&warnings[0], "not closed within 200ms", requests);
    }
}

#[test]
fn a_second_signal_ends_the_wait_at_once() {
    for (half, requests) in [(HALF_A_HEAD, 0), (HALF_A_BODY, 1)] {
        let (_, warnings) = stopped_beside(half, Monitor::builder(), async || {
            signal_self("-TERM");
            // Two signals that are sent before the first is seen are one to the kernel.
            tokio::time::sleep(Duration::from_millis(100)).await;
            signal_self("-TERM");
        });
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_says(&warnings[0], "a second signal, SIGTERM", requests);
    }
}
