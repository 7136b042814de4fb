//! Requests and calls that outlive the shutdown deadline are cut and logged.

use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use monitor_runtime::testing::capture_logs;
use monitor_runtime::{MonitorBuilder, metrics, track_agent, track_query, track_skill};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::tcp::eventually;
use crate::{ALONE, RELEASED, SOON, ask, ended, in_flight, prompt, refuses_clients, serve, signal_self};

/// Serves a client who sends `half` and no more, has the process stopped by `stop`, and tells how long `serve` went on
/// from then and which warnings it logged.
fn stopped_beside(
    half: &str,
    monitor: MonitorBuilder,
    stop: impl AsyncFnOnce(SocketAddr),
) -> (Duration, Vec<Value>) {
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
            stop(address).await;
            ended(server).await;
            took = told.elapsed();
        });
    });
    lines.retain(|line| line["level"] == "warn");
    (took, lines)
}

const HALF_A_HEAD: &str = "GET /quick HTTP/1.1\r\nhost: te";
const AN_UNREAD_SCRAPE: &str = "GET /health/metrics HTTP/1.1\r\nhost: test\r\n\r\n";
const HALF_A_BODY: &str = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf";

/// Asserts that the last warning says why it ended, and those before it which requests were cut.
fn assert_says(warnings: &[Value], reason: &str, requests: usize) {
    let (last, cut) = warnings.split_last().expect("a warning");
    assert_eq!(last["logger"], "monitor_runtime::serve");
    assert_eq!(last["event"], "stopped before all was done");
    assert_eq!(last["reason"], reason);
    assert_eq!(last["requests"], json!(requests));
    assert_eq!(cut.len(), requests, "{cut:?}");
    for line in cut {
        assert_eq!((&line["event"], &line["method"]), (&json!("request cut"), &json!("POST")));
        assert_eq!((&line["endpoint"], &line["count"]), (&json!("/echo"), &json!(1)));
    }
}

#[test]
fn an_endless_client_delays_the_stop_by_the_timeout_only() {
    let timeout = Duration::from_millis(200);
    let monitor = prompt().shutdown_timeout(timeout);
    let (took, warnings) = stopped_beside(HALF_A_BODY, monitor, async |_| signal_self("-TERM"));
    assert!(took >= timeout, "{took:?}");
    assert_says(&warnings, "not ended within 200ms", 1);
}

#[test]
fn a_connection_without_a_whole_request_is_not_waited_for() {
    for half in ["", "G", HALF_A_HEAD, AN_UNREAD_SCRAPE] {
        // It would wait for an hour.
        let (_, warnings) = stopped_beside(half, prompt(), async |_| signal_self("-TERM"));
        assert_eq!(warnings, [] as [Value; 0], "{half:?}");
    }
}

#[test]
fn a_second_signal_ends_the_wait_at_once() {
    let (_, warnings) = stopped_beside(HALF_A_BODY, prompt(), async |address| {
        signal_self("-TERM");
        // Two signals that are sent before the first is seen are one to the kernel.
        refuses_clients(address).await;
        signal_self("-TERM");
    });
    assert_says(&warnings, "a second signal, SIGTERM", 1);
}

#[test]
fn a_request_that_is_said_to_be_cut_is_not_answered() {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut answer = None;
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let monitor = prompt().shutdown_timeout(Duration::from_millis(50)).build().unwrap();
            let (address, server) = serve(&monitor).await;
            let slow = tokio::spawn(async move { ask(address, "/slow").await });
            in_flight(1).await;
            signal_self("-TERM");
            ended(server).await;
            // The runtime lives on, as it does while `main` cleans up.
            RELEASED.add_permits(1);
            answer = Some(slow.await.unwrap());
            RELEASED.forget_permits(1);
        });
    });
    assert!(lines.iter().any(|line| line["event"] == "request cut"));
    assert!(!answer.unwrap().is_ok_and(|answer| answer.contains("200 OK")), "it was answered");
}

const UPGRADE: &str =
    "GET /socket HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[test]
fn an_upgraded_connection_is_waited_for_and_named_if_it_is_cut() {
    let monitor = prompt().shutdown_timeout(Duration::from_millis(200));
    let (took, warnings) = stopped_beside(UPGRADE, monitor, async |_| signal_self("-TERM"));
    assert!(took >= Duration::from_millis(200), "{took:?}");
    let warnings: Vec<_> = warnings.iter().map(without_head).collect();
    assert_eq!(
        warnings,
        [
            json!({"event": "request cut", "method": "GET", "endpoint": "/socket", "count": 1}),
            json!({"event": "connection cut", "protocol": "websocket", "count": 1}),
            json!({
                "event": "stopped before all was done", "reason": "not ended within 200ms",
                "requests": 1, "agents": 0, "skills": 0, "queries": 0, "connections": 1
            }),
        ]
    );
}

fn count_of_upgrades(metric: &str, labels: &str) -> u64 {
    let series = format!("{metric}{{method=\"GET\",endpoint=\"/socket\"{labels}}} ");
    metrics::render().lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |n| n.parse().unwrap())
}

#[test]
fn an_upgraded_connection_is_in_flight_until_it_ends() {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let (address, server) = serve(&prompt().build().unwrap()).await;
            let counted = || {
                let ended = count_of_upgrades("http_requests_total", ",status=\"101\"");
                (ended, count_of_upgrades("http_request_duration_seconds_count", ""))
            };
            let before = counted();
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(UPGRADE.as_bytes()).await.unwrap();
            let is_counted = async || counted() == (before.0 + 1, before.1 + 1);
            eventually("the handshake is counted", is_counted).await;
            in_flight(1).await;
            // Its bytes pass in both directions.
            client.write_all(b"ping").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"ping") {
                assert!(client.read_buf(&mut answer).await.unwrap() > 0);
            }
            signal_self("-TERM");
            refuses_clients(address).await;
            assert!(!server.is_finished(), "it is waited for");
            drop(client);
            ended(server).await;
            in_flight(0).await;
            assert_eq!(counted(), (before.0 + 1, before.1 + 1));
        });
    });
    assert_eq!(lines.last().unwrap()["event"], "stopped: nothing was cut");
}

#[test]
fn an_upgraded_connection_that_is_cut_is_closed() {
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let monitor = prompt().shutdown_timeout(Duration::from_millis(100)).build().unwrap();
        let (address, server) = serve(&monitor).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(UPGRADE.as_bytes()).await.unwrap();
        in_flight(1).await;
        signal_self("-TERM");
        ended(server).await;
        // The runtime lives on, as it does while `main` cleans up.
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(SOON, client.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "it is still open");
        in_flight(0).await;
    });
}

#[test]
fn the_last_lines_name_and_count_cut_requests() {
    #[track_agent("cut_agent")]
    async fn agent() {
        skill().await;
    }
    #[track_skill("cut_skill")]
    async fn skill() {
        query().await;
    }
    #[track_query("cut_query", operation = "select")]
    async fn query() {
        pending::<()>().await;
    }
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let monitor = prompt().shutdown_timeout(Duration::from_millis(50)).build().unwrap();
            let (address, server) = serve(&monitor).await;
            for _ in 0..2 {
                tokio::spawn(agent());
            }
            tokio::spawn(async move { ask(address, "/held/7").await });
            let running = "active_skills{skill_id=\"cut_skill\"} 2\n";
            eventually(running, async || metrics::render().contains(running)).await;
            in_flight(1).await;
            signal_self("-TERM");
            ended(server).await;
        });
    });
    let lines: Vec<_> = lines.iter().filter(|line| line["level"] == "warn").map(without_head).collect();
    assert_eq!(
        lines,
        [
            json!({"event": "request cut", "method": "GET", "endpoint": "/held/{id}", "count": 1}),
            json!({"event": "agent cut", "agent_id": "cut_agent", "count": 2}),
            json!({"event": "skill cut", "skill_id": "cut_skill", "count": 2}),
            json!({"event": "query cut", "query": "cut_query", "operation": "select", "count": 2}),
            json!({
                "event": "stopped before all was done", "reason": "not ended within 50ms",
                "requests": 1, "agents": 2, "skills": 2, "queries": 2
            }),
        ]
    );
}

/// The fields of a line that its event adds.
fn without_head(line: &Value) -> Value {
    let mut line = line.clone();
    for key in ["timestamp", "level", "logger"] {
        line.as_object_mut().unwrap().remove(key);
    }
    line
}
