//! The end of the service, as an orchestrator and its load balancer see it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::{Client, Response};
use crate::support::service::{Ended, Service, command, eventually, notes};

fn start(options: &[&str]) -> Service {
    let notes = notes();
    Service::start(command().arg("--docs").arg(notes.path()).args(options)).ready()
}

fn admin_of(service: &Service) -> SocketAddr {
    let listening = eventually("it says where it listens", || {
        service.log().into_iter().find(|line| line["event"] == "listening")
    });
    listening["admin"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap()
}

fn events(ended: &Ended) -> Vec<&Value> {
    ended.log.iter().map(|line| &line["event"]).collect()
}

#[test]
fn a_stop_under_load_loses_no_request_if_readiness_is_heeded() {
    // Every client looks at readiness in that time, also on a busy machine.
    let service = start(&["--drain-delay", "5000", "--traffic", "50"]);
    let client = service.client();
    let (is_ready, answered) = (AtomicBool::new(true), AtomicUsize::new(0));
    let ended = thread::scope(|scope| {
        scope.spawn(|| heed_readiness(client, &is_ready));
        for _ in 0..4 {
            scope.spawn(|| {
                while is_ready.load(Ordering::SeqCst) {
                    let Response { status, body, .. } =
                        client.send("POST", "/ask", &[], "{\"question\": \"Green tea?\"}");
                    assert_eq!(status, 200, "{body}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        eventually("it is under load", || (answered.load(Ordering::SeqCst) > 20).then_some(()));
        service.stop()
    });
    assert_eq!(ended.status.code(), Some(0));
    let events = events(&ended);
    assert_eq!(events[events.len() - 2..], ["stopped: nothing was cut", "stopped"]);
}

/// Looks at readiness as a load balancer does, until it says that nobody should come any more.
fn heed_readiness(client: Client, is_ready: &AtomicBool) {
    loop {
        let Response { status, body, .. } = client.send("GET", "/health/ready", &[], "");
        if status == 503 && body.contains("\"draining\"") {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    is_ready.store(false, Ordering::SeqCst);
}

#[test]
fn stopped_while_it_waits_for_a_silent_database_it_ends_well() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://app@{}/notes", silent.local_addr().unwrap());
    let notes = notes();
    let service = Service::spawn(command().arg("--docs").arg(notes.path()).env("DATABASE_URL", url));
    // It has asked, and so listens to signals.
    let (_connection, _) = silent.accept().unwrap();
    let ended = service.stop();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(events(&ended), ["stopped"]);
}

#[test]
fn told_twice_it_ends_at_once_and_well() {
    let service = start(&["--drain-delay", "600000"]);
    service.signal("-TERM");
    eventually("it drains", || (service.get("/health/ready").status == 503).then_some(()));
    assert_eq!(service.get("/health/live").status, 200);
    assert_eq!(service.ask("Green tea?").status, 200);
    let start = Instant::now();
    let ended = service.stop();
    assert!(start.elapsed() < Duration::from_mins(1), "it waited for more than a busy machine takes");
    assert_eq!(ended.status.code(), Some(0));
    let events = events(&ended);
    assert_eq!(events[events.len() - 2..], ["stopped: nothing was cut", "stopped"]);
}

#[test]
fn its_admin_port_answers_until_the_end() {
    let service = start(&["--admin-port", "0", "--drain-delay", "600000"]);
    let admin = admin_of(&service);
    let get = |path| Client(admin).send("GET", path, &[], "");
    for path in ["/health/live", "/health/ready", "/health/startup", "/health/metrics"] {
        assert_eq!(get(path).status, 200, "{path}");
    }
    assert_eq!(get("/runs").status, 404, "it is for probes");
    service.signal("-TERM");
    eventually("it drains", || (get("/health/ready").status == 503).then_some(()));
    assert_eq!(get("/health/live").status, 200);
    assert_eq!(service.stop().status.code(), Some(0));
    assert!(TcpStream::connect(admin).is_err());
}
