//! `Monitor::serve` on a real socket, stopped by real signals.
//!
//! One test at a time, since a signal stops every server of the process; what has to end the process has one of its own.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod base_path;
mod connections;
mod draining;
mod make_services;
mod other_servers;
mod processes;
mod shutdown;
mod shutdown_deadline;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get, post};
use monitor_runtime::{Monitor, MonitorBuilder, metrics};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;

use crate::support::tcp::eventually;

static ALONE: Mutex<()> = Mutex::const_new(());

/// More than what ends by itself takes on a busy machine.
const SOON: Duration = Duration::from_mins(1);

/// Longer than any test waits.
const LONG: Duration = Duration::from_hours(1);

/// Lets one request to `/slow` go on.
static RELEASED: Semaphore = Semaphore::const_new(0);

/// A monitor whose server waits for nothing but what is in flight once it is told to stop.
fn prompt() -> MonitorBuilder {
    Monitor::builder().drain_delay(Duration::ZERO).shutdown_timeout(LONG).grace_period(2 * LONG)
}

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
        .route("/slow", get(async || RELEASED.acquire().await.unwrap().forget()))
        .route("/socket", any(connections::echo))
        .route("/held/{id}", get(async || std::future::pending::<()>().await))
        .route("/health/live", get(async || "the application's own"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let monitor = monitor.clone();
    let server = tokio::spawn(async move { monitor.serve(listener, app).await });
    // Answered once the signal handlers are there, without which a signal ends this process.
    ask(address, "/quick").await.unwrap();
    (address, server)
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

fn signal_self(name: &str) {
    signal(std::process::id(), name);
}

async fn ended(server: JoinHandle<std::io::Result<()>>) {
    tokio::time::timeout(SOON, server).await.expect("stops").unwrap().unwrap();
}

/// Waits until nobody is let in any more: the server has seen a signal, and what it waits for before that is over.
async fn refuses_clients(address: SocketAddr) {
    eventually("it refuses clients", async || ask(address, "/quick").await.is_err()).await;
}

async fn in_flight(requests: u32) {
    let line = format!("http_requests_in_flight {requests}\n");
    eventually(&line, async || metrics::render().contains(&line)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_served_app_is_measured_and_stops_without_lost_requests() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
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
        refuses_clients(address).await;
        RELEASED.add_permits(1);
        assert!(
            slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 OK\r\n"),
            "{signal} cut a request off"
        );
        ended(server).await;
    }
}
