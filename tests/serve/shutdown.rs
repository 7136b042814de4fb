//! The stop of servers that are not the monitor's own.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use monitor_runtime::Monitor;
use monitor_runtime::testing::capture_logs;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::tcp::eventually;
use crate::{ALONE, LONG, RELEASED, ask, in_flight, prompt, refuses_clients, signal_self};

/// As docs/health.md has it.
async fn serve(monitor: Monitor) -> (SocketAddr, JoinHandle<()>) {
    let app = Router::new()
        .route("/quick", get(async || "quick"))
        .route("/slow", get(async || RELEASED.acquire().await.unwrap().forget()))
        .route("/held", get(async || std::future::pending::<()>().await))
        .layer(monitor.layer())
        .merge(monitor.routes());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, app).with_graceful_shutdown(monitor.shutdown());
    let server = tokio::spawn(async move {
        tokio::select! {
            ended = server => ended.unwrap(),
            () = monitor.drained() => {}
        }
        monitor.drained().await;
    });
    (address, server)
}

async fn ended(server: JoinHandle<()>) {
    tokio::time::timeout(crate::SOON, server).await.expect("it ends").unwrap();
}

fn events(lines: &[Value]) -> Vec<&str> {
    let lines = lines.iter().filter(|line| line["logger"] == "monitor_runtime::serve");
    lines.map(|line| line["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_users_own_server_drains_until_nothing_is_in_flight() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().drain_delay(Duration::from_millis(500)).build().unwrap();
    let (address, server) = serve(monitor).await;
    let slow = tokio::spawn(async move { ask(address, "/slow").await });
    in_flight(1).await;
    signal_self("-TERM");
    let drains =
        async || ask(address, "/health/ready").await.is_ok_and(|ready| ready.contains("\"draining\""));
    eventually("readiness answers draining", drains).await;
    refuses_clients(address).await;
    assert!(!server.is_finished());
    RELEASED.add_permits(1);
    assert!(slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
    ended(server).await;
}

#[test]
fn its_last_lines_say_what_was_cut() {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let monitor = prompt().shutdown_timeout(Duration::from_millis(50)).build().unwrap();
            let (address, server) = serve(monitor).await;
            let held = tokio::spawn(async move { ask(address, "/held").await });
            in_flight(1).await;
            signal_self("-TERM");
            ended(server).await;
            held.abort();
        });
    });
    let expected = [
        "draining: readiness answers 503",
        "stopping: what is in flight may finish",
        "request cut",
        "stopped before all was done",
    ];
    assert_eq!(events(&lines), expected);
}

#[test]
fn a_stop_that_nobody_waits_for_any_more_hears_no_signals() {
    let _alone = ALONE.blocking_lock();
    let monitor = prompt().drain_delay(LONG).grace_period(3 * LONG).build().unwrap();
    let lines = capture_logs(|| {
        drop(monitor.shutdown());
        // Its thread has gone once another stop is heard alone.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (address, server) = serve(prompt().build().unwrap()).await;
            ask(address, "/quick").await.unwrap();
            signal_self("-TERM");
            ended(server).await;
        });
    });
    let expected = [
        "draining: readiness answers 503",
        "stopping: what is in flight may finish",
        "stopped: nothing was cut",
    ];
    assert_eq!(events(&lines), expected);
}

/// The events of the server's lines, and the `signal` that began the stop.
fn stopped_by(lines: &[Value]) -> (Vec<&str>, &str) {
    let draining = lines.iter().find(|line| line["event"] == "draining: readiness answers 503").unwrap();
    (events(lines), draining["signal"].as_str().unwrap())
}

#[test]
fn a_stop_from_within_passes_the_stages_of_a_signal() {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let monitor = prompt().drain_delay(Duration::from_millis(500)).build().unwrap();
            let (address, server) = crate::serve(&monitor).await;
            let slow = tokio::spawn(async move { ask(address, "/slow").await });
            in_flight(1).await;
            let handle = monitor.clone();
            std::thread::spawn(move || handle.stop()).join().unwrap();
            let drains = async || ask(address, "/health/ready").await.unwrap().contains("\"draining\"");
            eventually("readiness answers draining", drains).await;
            // A further call has no effect.
            monitor.stop();
            refuses_clients(address).await;
            monitor.stop();
            assert!(!server.is_finished());
            RELEASED.add_permits(1);
            assert!(slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
            crate::ended(server).await;
            monitor.drained().await;
        });
    });
    let expected = [
        "draining: readiness answers 503",
        "stopping: what is in flight may finish",
        "stopped: nothing was cut",
    ];
    assert_eq!(stopped_by(&lines), (expected.to_vec(), "Monitor::stop"));
}

#[test]
fn a_stop_from_within_needs_nobody_who_waits_for_it() {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        let monitor = prompt().build().unwrap();
        monitor.stop();
        runtime.block_on(monitor.drained());
    });
    assert_eq!(stopped_by(&lines).0.last(), Some(&"stopped: nothing was cut"));
}
