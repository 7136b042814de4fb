//! `Monitor::serve` on a real socket, stopped by real signals.
//!
//! One test, since a signal stops every server of the process.

#[path = "support/tcp.rs"]
mod tcp;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use monitor_runtime::{Monitor, metrics};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use tcp::eventually;

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
