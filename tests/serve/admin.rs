//! The admin listener, beside a runtime that may be blocked.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use monitor_runtime::health::{CheckError, check_fn};
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, MonitorBuilder};
use tokio::sync::oneshot;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::client::{Client, Response};
use crate::{ALONE, LONG, SOON, ask, ended, refuses_clients, serve, signal_self};

const WORKERS: usize = 2;

fn with_admin() -> MonitorBuilder {
    Monitor::builder().admin_port(0)
}

fn get(address: SocketAddr, path: &str) -> Response {
    Client(address).send("GET", path, &[], "")
}

/// Asks until the answer is this one.
fn answers(address: SocketAddr, status: u16, body: &str) {
    let start = Instant::now();
    loop {
        let response = get(address, "/health/live");
        if (response.status, &*response.body) == (status, body) {
            return;
        }
        assert!(start.elapsed() < SOON, "not {status} but {response:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An application on a runtime of its own, whose workers can be blocked.
struct Application {
    monitor: Monitor,
    runtime: tokio::runtime::Handle,
    thread: Option<JoinHandle<()>>,
    end: Option<oneshot::Sender<()>>,
}

impl Application {
    fn start(builder: MonitorBuilder) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let monitor = runtime.block_on(async { builder.build().unwrap() });
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || drop(runtime.block_on(ended)));
        Self { monitor, runtime: handle, thread: Some(thread), end: Some(end) }
    }

    fn admin(&self) -> SocketAddr {
        self.monitor.admin_address().unwrap()
    }

    /// Blocks every worker until the guard is dropped.
    fn block(&self) -> Blocked {
        let (all_blocked, released) = (Arc::new(Barrier::new(WORKERS + 1)), Blocked::default());
        for _ in 0..WORKERS {
            let (all_blocked, released) = (Arc::clone(&all_blocked), Arc::clone(&released.0));
            self.runtime.spawn(async move {
                all_blocked.wait();
                let (is_released, changed) = &*released;
                drop(changed.wait_while(is_released.lock().unwrap(), |is_released| !*is_released).unwrap());
            });
        }
        all_blocked.wait();
        released
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

#[derive(Default)]
struct Blocked(Arc<(Mutex<bool>, Condvar)>);

impl Drop for Blocked {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Waits for the first runs of the checks.
fn answers_ready(admin: SocketAddr) {
    let start = Instant::now();
    while get(admin, "/health/ready").status != 200 {
        assert!(start.elapsed() < SOON, "it is not ready");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn it_answers_every_route_with_all_workers_blocked() {
    let check = check_fn("cache", async || Ok::<_, CheckError>("cache is warm"));
    let application = Application::start(with_admin().check(check).liveness_threshold(LONG));
    let admin = application.admin();
    assert!(admin.ip().is_loopback());
    answers_ready(admin);
    let _blocked = application.block();
    for path in ["/health/live", "/health/ready", "/health/startup", "/health/metrics"] {
        assert_eq!(get(admin, path).status, 200, "{path}");
    }
    assert!(get(admin, "/health/ready").body.contains("cache is warm"));
    assert_eq!(get(admin, "/other").status, 404);
}

#[test]
fn its_refusals_are_json_that_nobody_may_keep() {
    let application = Application::start(with_admin());
    for (method, path, status) in [
        ("GET", "/other", 404),
        ("POST", "/", 404),
        ("POST", "/health/live", 405),
        ("FOO", "/health/ready/a", 405),
    ] {
        let refused = Client(application.admin()).send(method, path, &[], "");
        assert_eq!(refused.status, status, "{method} {path}");
        assert_eq!(refused.header("cache-control"), Some("no-store"), "{method} {path}");
        assert_eq!(refused.header("content-type"), Some("application/json"), "{method} {path}");
        assert_eq!(refused.header("allow"), (status == 405).then_some("get,head"), "{method} {path}");
        assert!(refused.body.starts_with(r#"{"error":"#), "{}", refused.body);
    }
    let head = Client(application.admin()).send("HEAD", "/other", &[], "");
    assert_eq!((head.status, &*head.body), (404, ""));
}

#[test]
fn liveness_fails_while_the_runtime_is_stalled() {
    let application = Application::start(with_admin().liveness_threshold(Duration::from_millis(100)));
    let admin = application.admin();
    answers(admin, 200, r#"{"status":"alive"}"#);
    let blocked = application.block();
    answers(admin, 503, r#"{"status":"stalled"}"#);
    drop(blocked);
    answers(admin, 200, r#"{"status":"alive"}"#);
}

#[test]
fn one_blocked_worker_among_others_is_no_stall() {
    // A busy machine does not keep a thread waiting for so long.
    let threshold = Duration::from_secs(3);
    let application = Application::start(with_admin().liveness_threshold(threshold));
    let (block, blocked) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = std::sync::mpsc::channel();
    application.runtime.spawn(async move {
        begun.send(()).unwrap();
        let _ = blocked.recv();
    });
    has_begun.recv().unwrap();
    // Longer than the threshold, so that a stall would show.
    let start = Instant::now();
    while start.elapsed() < threshold + Duration::from_secs(1) {
        assert_eq!(get(application.admin(), "/health/live").status, 200);
        thread::sleep(Duration::from_millis(10));
    }
    drop(block);
}

/// Hands on the level and the text of each line about the listener.
struct Lines(Mutex<mpsc::Sender<(Level, String)>>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "monitor_runtime::admin" {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().send((*event.metadata().level(), text.0)).unwrap();
        }
    }
}

/// The message of a line, without its fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[test]
fn a_stall_and_its_end_are_logged_once_each() {
    let (sender, lines) = mpsc::channel();
    let subscriber = tracing_subscriber::registry().with(Lines(Mutex::new(sender)));
    tracing::subscriber::with_default(subscriber, || {
        // A busy machine does not keep a thread waiting for so long.
        let application = Application::start(with_admin().liveness_threshold(Duration::from_secs(2)));
        let blocked = application.block();
        let not_alive = "the runtime runs no tasks: not alive".to_owned();
        assert_eq!(lines.recv_timeout(SOON), Ok((Level::ERROR, not_alive)));
        answers(application.admin(), 503, r#"{"status":"stalled"}"#);
        // It looks several times meanwhile, and says nothing new.
        assert!(lines.recv_timeout(Duration::from_secs(1)).is_err());
        drop(blocked);
        assert_eq!(lines.recv_timeout(SOON), Ok((Level::WARN, "the runtime runs tasks again".to_owned())));
        answers(application.admin(), 200, r#"{"status":"alive"}"#);
    });
    assert_eq!(lines.try_iter().count(), 0);
}

#[tokio::test]
async fn it_goes_on_through_a_stop_and_ends_with_the_monitor() {
    let _alone = ALONE.lock().await;
    let builder = with_admin().drain_delay(Duration::ZERO).grace_period(2 * LONG).shutdown_timeout(LONG);
    let monitor = builder.build().unwrap();
    let admin = monitor.admin_address().unwrap();
    let (address, server) = serve(&monitor).await;
    let held = tokio::spawn(async move { ask(address, "/held/1").await });
    crate::in_flight(1).await;
    signal_self("-TERM");
    refuses_clients(address).await;
    assert!(ask(admin, "/health/live").await.unwrap().ends_with("{\"status\":\"alive\"}"));
    let ready = ask(admin, "/health/ready").await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("\"draining\""), "{ready}");
    signal_self("-TERM");
    ended(server).await;
    held.abort();
    drop(monitor);
    crate::eventually("it has ended", async || TcpStream::connect(admin).is_err()).await;
}

#[test]
fn an_address_beyond_loopback_without_a_token_is_warned_of() {
    let warnings = |builder: MonitorBuilder| {
        let mut lines = capture_logs(|| builder.build().unwrap());
        lines.retain(|line| line["logger"] == "monitor_runtime::admin" && line["level"] == "warn");
        lines.len()
    };
    assert_eq!(warnings(Monitor::builder().admin_address(([0, 0, 0, 0], 0))), 1);
    assert_eq!(warnings(Monitor::builder().admin_address(([0, 0, 0, 0], 0)).bearer_token("s3cret")), 0);
    assert_eq!(warnings(Monitor::builder().admin_address(([127, 0, 0, 1], 0))), 0);
}

#[test]
fn a_bearer_token_guards_metrics_and_leaves_probes_open() {
    let application = Application::start(with_admin().bearer_token("s3cret"));
    let admin = application.admin();
    assert_eq!((get(admin, "/health/live").status, get(admin, "/health/ready").status), (200, 200));
    assert_eq!(get(admin, "/health/metrics").status, 401);
    let headers = [("authorization", "Bearer s3cret")];
    assert_eq!(Client(admin).send("GET", "/health/metrics", &headers, "").status, 200);
}

#[test]
fn its_probes_do_not_run_checks_on_its_own_runtime() {
    // Built outside of a runtime, so that no check is running yet.
    let check =
        check_fn("cache", async || Ok::<_, CheckError>(thread::current().name().unwrap_or("").to_owned()));
    let monitor = with_admin().check(check).build().unwrap();
    let admin = monitor.admin_address().unwrap();
    assert_eq!(get(admin, "/health/ready").status, 503);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("application")
        .enable_all()
        .build()
        .unwrap();
    let start = Instant::now();
    while get(admin, "/health/ready").status != 200 {
        runtime.block_on(async { monitor.ready() });
        assert!(start.elapsed() < SOON, "the check does not run");
    }
    assert!(get(admin, "/health/ready").body.contains("\"application\""));
}
