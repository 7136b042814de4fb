//! Calls the service with a real client, over a socket, and checks counts, log lines, health and the stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grpc_agent::pb::{AssistantClient, AssistantServer, Question};
use grpc_agent::{Agent, monitor, serve};
use monitor_runtime::health::check_fn;
use monitor_runtime::http::AccessLog;
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{Monitor, MonitorBuilder, metrics};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// More than anything here takes on a busy machine.
const SOON: Duration = Duration::from_mins(1);

type Server = JoinHandle<()>;

fn prompt() -> MonitorBuilder {
    monitor().drain_delay(Duration::ZERO)
}

async fn listen() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, Endpoint::from_shared(address).unwrap())
}

/// Serves as the program does.
async fn start(monitor: &Monitor) -> (Channel, Server) {
    let (listener, endpoint) = listen().await;
    let monitor = monitor.clone();
    let server = tokio::spawn(async move { serve(monitor, listener).await.unwrap() });
    (endpoint.connect().await.unwrap(), server)
}

/// Serves by `Monitor::serve`.
async fn start_with_monitor(monitor: &Monitor) -> (Channel, Server) {
    let (listener, endpoint) = listen().await;
    let routes = Routes::new(AssistantServer::new(Agent)).add_service(monitor.grpc_health());
    let (monitor, app) = (monitor.clone(), routes.into_axum_router());
    let server = tokio::spawn(async move { monitor.serve(listener, app).await.unwrap() });
    (endpoint.connect().await.unwrap(), server)
}

async fn ended(server: Server) {
    timeout(SOON, server).await.expect("the server ends").unwrap();
}

fn question(text: &str) -> Question {
    Question { text: text.to_owned() }
}

async fn eventually(expected: &str, mut holds: impl FnMut() -> bool) {
    let holds = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, holds).await.unwrap_or_else(|_| panic!("never: {expected}"));
}

fn are_in_flight(requests: u32) -> bool {
    metrics::render().contains(&format!("\nhttp_requests_in_flight {requests}\n"))
}

/// One call for each way in which calls end.
async fn call_in_every_way(channel: Channel) {
    let mut client = AssistantClient::new(channel);
    assert_eq!(client.ask(question("hello")).await.unwrap().text, "you said hello");
    assert_eq!(client.ask(question("")).await.unwrap_err().code(), Code::InvalidArgument);

    let mut words = client.recite(question("well")).await.unwrap();
    let mut recited = Vec::new();
    while let Some(word) = words.message().await.unwrap() {
        recited.push(word.text);
    }
    assert_eq!(recited, ["you", "said", "well"]);
    let mut words = client.recite(question("alas")).await.unwrap();
    let status = loop {
        if let Err(status) = words.message().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::DataLoss, "the status is in the trailers");

    for path in ["/agents.v1.Assistant/Guess", "/agents.v1.Other/Ask"] {
        assert_eq!(client.call(path, question("x")).await.unwrap_err().code(), Code::Unimplemented);
    }
    let left = timeout(Duration::from_millis(100), client.ask(question("wait"))).await;
    assert!(left.is_err(), "the client leaves");
    eventually("the call that was left has ended", || are_in_flight(0)).await;
}

fn assert_each_is_counted(recording: &Recording) {
    let counted = |service: &str, method: &str, code: &str| {
        recording.value(
            "grpc_requests_total",
            &[("grpc_service", service), ("grpc_method", method), ("grpc_code", code)],
        )
    };
    let assistant = "agents.v1.Assistant";
    for (method, code) in [
        ("Ask", "OK"),
        ("Ask", "INVALID_ARGUMENT"),
        ("Ask", "CANCELLED"),
        ("Recite", "OK"),
        ("Recite", "DATA_LOSS"),
    ] {
        assert_eq!(counted(assistant, method, code), 1.0, "{method} {code}");
    }
    assert_eq!(counted("unmatched", "unmatched", "UNIMPLEMENTED"), 2.0);

    let requests = |endpoint: &str, status: &str| {
        let labels = [("method", "POST"), ("endpoint", endpoint), ("status", status)];
        recording.value("http_requests_total", &labels)
    };
    assert_eq!(requests("/agents.v1.Assistant/Ask", "200"), 2.0);
    assert_eq!(requests("/agents.v1.Assistant/Ask", "499"), 1.0);
    assert_eq!(requests("/agents.v1.Assistant/Recite", "200"), 2.0);
    assert_eq!(requests("unmatched", "200"), 2.0);
    for (status, calls) in [("success", 3.0), ("error", 1.0), ("cancelled", 1.0)] {
        let labels = [("agent_id", "assistant"), ("status", status)];
        assert_eq!(recording.value("agent_executions_total", &labels), calls, "{status}");
    }
}

#[tokio::test]
async fn calls_are_counted_by_service_method_and_status() {
    let recording = Recording::start();
    let monitor = prompt().build().unwrap();
    let (channel, server) = start(&monitor).await;
    call_in_every_way(channel).await;
    assert_each_is_counted(&recording);
    monitor.stop();
    ended(server).await;
}

#[tokio::test]
async fn calls_under_the_server_of_the_monitor_are_counted_alike() {
    let recording = Recording::start();
    let monitor = prompt().build().unwrap();
    let (channel, server) = start_with_monitor(&monitor).await;
    call_in_every_way(channel).await;
    assert_each_is_counted(&recording);
    monitor.stop();
    ended(server).await;
}

#[test]
fn lines_of_a_call_name_it() {
    let _recording = Recording::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let monitor = prompt().access_log(AccessLog::new()).build().unwrap();
            let (channel, server) = start(&monitor).await;
            let mut client = AssistantClient::new(channel);
            client.ask(question("hello there")).await.unwrap();
            client.ask(question("")).await.unwrap_err();
            monitor.stop();
            ended(server).await;
        });
    });
    let answered = lines.iter().find(|line| line["event"] == "answered").unwrap();
    assert_eq!(answered["endpoint"], "/agents.v1.Assistant/Ask");
    assert_eq!(answered["rpc.system"], "grpc");
    assert_eq!(answered["agent_id"], "assistant");
    assert_eq!(answered["words"], 4);
    assert!(answered["request_id"].is_string() && answered["rpc.grpc.status_code"] == Value::Null);
    let access = lines.iter().filter(|line| line["event"] == "request ended");
    let statuses: Vec<_> =
        access.map(|line| [&line["status"], &line["rpc.grpc.status_code"]].map(Value::as_u64)).collect();
    assert_eq!(statuses, [[Some(200), Some(0)], [Some(200), Some(3)]], "HTTP's and gRPC's");
    // Lines of tonic's own connections may follow.
    let ours =
        |line: &&Value| line["logger"].as_str().is_some_and(|logger| logger.starts_with("monitor_runtime"));
    assert_eq!(lines.iter().rfind(ours).unwrap()["event"], "stopped: nothing was cut");
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    let message = timeout(SOON, watch.message()).await.expect("a message, or the end");
    message.unwrap().map(|message| message.status())
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn health_follows_readiness_through_its_changes_and_the_stop() {
    for with_monitor in [false, true] {
        let recording = Recording::start();
        let is_well = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_well);
        let check = check_fn("model", move || {
            let is_well = asked.load(Ordering::Relaxed);
            async move { is_well.then_some(()).ok_or_else(|| std::io::Error::other("no model")) }
        });
        let monitor = prompt().check(check).check_interval(Duration::from_millis(20)).build().unwrap();
        let (channel, server) =
            if with_monitor { start_with_monitor(&monitor).await } else { start(&monitor).await };
        let mut health = HealthClient::new(channel);
        eventually("it is ready", || monitor.ready().status() == 200).await;
        for service in ["", "agents.v1.Assistant"] {
            let status = health.check(of(service)).await.unwrap().into_inner().status();
            assert_eq!(status, ServingStatus::Serving, "{service:?}");
        }
        assert_eq!(health.check(of("agents.v1.Other")).await.unwrap_err().code(), Code::NotFound);

        let mut watch = health.watch(of("agents.v1.Assistant")).await.unwrap().into_inner();
        let mut other = health.watch(of("agents.v1.Other")).await.unwrap().into_inner();
        assert_eq!(next(&mut other).await, Some(ServingStatus::ServiceUnknown));
        assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
        is_well.store(false, Ordering::Relaxed);
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        assert_eq!(health.check(of("")).await.unwrap().into_inner().status(), ServingStatus::NotServing);
        is_well.store(true, Ordering::Relaxed);
        assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
        assert!(are_in_flight(0), "probes are not in flight");

        monitor.stop();
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        assert_eq!(next(&mut watch).await, None, "the stream ends by itself");
        ended(server).await;
        assert_eq!(recording.value("grpc_requests_total", &[("grpc_service", "unmatched")]), 0.0);
        let probes = [("endpoint", "/grpc.health.v1.Health/Check"), ("status", "200")];
        assert_eq!(recording.value("http_requests_total", &probes), 0.0);
    }
}

#[tokio::test]
async fn a_stop_lets_a_call_in_flight_finish() {
    for with_monitor in [false, true] {
        let _recording = Recording::start();
        let monitor = prompt().build().unwrap();
        let (channel, server) =
            if with_monitor { start_with_monitor(&monitor).await } else { start(&monitor).await };
        let mut client = AssistantClient::new(channel);
        let slow = tokio::spawn(async move { client.ask(question("wait")).await });
        eventually("it is in flight", || are_in_flight(1)).await;
        monitor.stop();
        ended(server).await;
        assert_eq!(slow.await.unwrap().unwrap().text, "you said wait");
    }
}
