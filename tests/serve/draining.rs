//! The time between the signal and the last answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, metrics, track_agent};
use serde_json::Value;
use tokio::sync::Notify;

use crate::support::tcp::eventually;
use crate::{ALONE, LONG, RELEASED, ask, ended, in_flight, prompt, refuses_clients, serve, signal_self};

#[tokio::test]
async fn during_the_drain_delay_only_readiness_is_503() {
    let _alone = ALONE.lock().await;
    let builder = Monitor::builder().drain_delay(LONG).grace_period(3 * LONG);
    let (address, server) = serve(&builder.build().unwrap()).await;
    assert!(ask(address, "/health/ready").await.unwrap().starts_with("HTTP/1.1 200 "));

    signal_self("-TERM");
    let is_draining = async || {
        let ready = ask(address, "/health/ready").await.unwrap();
        ready.starts_with("HTTP/1.1 503 ") && ready.contains("{\"status\":\"draining\"")
    };
    eventually("readiness answers draining", is_draining).await;
    assert!(ask(address, "/health/live").await.unwrap().ends_with("{\"status\":\"alive\"}"));
    assert!(ask(address, "/quick").await.unwrap().ends_with("\r\n\r\nquick"), "new clients are still served");
    assert!(ask(address, "/health/metrics").await.unwrap().contains("\nhealth_ready 0\n"));
    assert!(!server.is_finished());

    signal_self("-TERM");
    ended(server).await;
}

#[tokio::test]
async fn after_the_drain_delay_only_requests_in_flight_are_served() {
    let _alone = ALONE.lock().await;
    let (address, server) = serve(&prompt().drain_delay(Duration::from_millis(50)).build().unwrap()).await;
    let slow = tokio::spawn(async move { ask(address, "/slow").await });
    in_flight(1).await;
    signal_self("-TERM");
    refuses_clients(address).await;
    assert!(!slow.is_finished(), "what was in flight was cut");
    RELEASED.add_permits(1);
    assert!(slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
    ended(server).await;
}

#[tokio::test]
async fn at_an_interrupt_the_delay_ends_once_nothing_is_in_flight() {
    let _alone = ALONE.lock().await;
    let monitor = Monitor::builder().drain_delay(LONG).grace_period(3 * LONG).build().unwrap();
    // With nothing in flight, the delay ends at once.
    let (_, server) = serve(&monitor).await;
    signal_self("-INT");
    ended(server).await;

    let monitor = Monitor::builder().drain_delay(LONG).grace_period(3 * LONG).build().unwrap();
    let (address, server) = serve(&monitor).await;
    let slow = tokio::spawn(async move { ask(address, "/slow").await });
    in_flight(1).await;
    signal_self("-INT");
    let draining = async || ask(address, "/health/ready").await.unwrap().contains("\"draining\"");
    eventually("readiness answers draining", draining).await;
    assert!(ask(address, "/quick").await.unwrap().ends_with("\r\n\r\nquick"), "the delay goes on");
    RELEASED.add_permits(1);
    ended(server).await;
    assert!(slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn connections_not_yet_accepted_are_answered_at_a_stop() {
    let _alone = ALONE.lock().await;
    let (address, server) = serve(&prompt().build().unwrap()).await;
    // Nothing is awaited from here on, so that the server accepts nobody.
    let mut clients: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"GET /quick HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    }
    signal_self("-TERM");
    // The drain has begun, and its delay of nothing is over.
    std::thread::sleep(Duration::from_millis(500));
    ended(server).await;
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("quick"), "{answer:?}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer:?}");
    }
}

#[test]
fn a_tracked_call_in_a_task_of_its_own_is_waited_for() {
    #[track_agent("spawned_agent")]
    async fn work(release: Arc<Notify>) {
        release.notified().await;
    }
    let _alone = ALONE.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let (address, server) = serve(&prompt().build().unwrap()).await;
            let release = Arc::new(Notify::new());
            let agent = tokio::spawn(work(Arc::clone(&release)));
            let running = "active_agents{agent_id=\"spawned_agent\"} 1\n";
            eventually(running, async || metrics::render().contains(running)).await;
            signal_self("-TERM");
            refuses_clients(address).await;
            assert!(!server.is_finished(), "it did not wait for the agent");
            release.notify_one();
            ended(server).await;
            agent.await.unwrap();
        });
    });
    let events = of_the_server(&lines);
    assert_eq!(
        events,
        [
            "draining: readiness answers 503",
            "stopping: what is in flight may finish",
            "stopped: nothing was cut"
        ]
    );
    let in_flight = lines.iter().find(|line| line["event"] == events[1]).unwrap();
    assert_eq!(in_flight["agents"], 1);
}

fn of_the_server(lines: &[Value]) -> Vec<&str> {
    let lines = lines.iter().filter(|line| line["logger"] == "monitor_runtime::serve");
    lines.map(|line| line["event"].as_str().unwrap()).collect()
}
