//! Health checks, the probes' answers, and what a monitor refuses to be built of.

#[path = "support/tcp.rs"]
mod tcp;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use monitor_runtime::health::{
    BoxFuture, Check, CheckError, CheckResult, DatabaseCheck, DiskCheck, check_fn,
};
use monitor_runtime::{BuildError, Monitor, MonitorBuilder, metrics};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::SqlitePool;
use tower::ServiceExt as _;
use tracing::Level;

use tcp::{eventually, silent_server};

const MORE_THAN_ANY_DISK: u64 = 1 << 60;

fn passing(name: &'static str) -> impl Check {
    check_fn(name, async || Ok::<_, CheckError>(()))
}

fn failing(name: &'static str) -> impl Check {
    check_fn(name, move || async move { Err::<(), _>(CheckError::new(format!("{name} is broken"))) })
}

/// A check that passes while the switch is on.
fn switched(name: &'static str, on: &Arc<AtomicBool>) -> impl Check + use<> {
    let on = Arc::clone(on);
    check_fn(name, move || {
        let on = on.load(Ordering::SeqCst);
        async move { if on { Ok("on") } else { Err(CheckError::new("off")) } }
    })
}

fn fast() -> MonitorBuilder {
    Monitor::builder().check_interval(Duration::from_millis(10))
}

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

async fn ready(monitor: &Monitor) -> (StatusCode, Value) {
    let response = monitor.ready().await;
    (response.status(), json(&response))
}

async fn get(monitor: &Monitor, path: &str) -> Response<Bytes> {
    request(monitor, Method::GET, path).await
}

async fn request(monitor: &Monitor, method: Method, path: &str) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (parts, body) = monitor.routes().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

// The probes

#[tokio::test]
async fn live_answers_200_byte_for_byte() {
    let monitor = Monitor::builder().check(failing("broken")).build().unwrap();
    let response = get(&monitor, "/health/live").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.body(), r#"{"status":"alive"}"#);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
}

#[tokio::test]
async fn ready_answers_200_when_every_check_passes() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let disk = DiskCheck::new("/").min_free_bytes(0);
    let monitor = Monitor::builder().check(disk).check(DatabaseCheck::new(pool)).build().unwrap();
    let response = get(&monitor, "/health/ready").await;
    let body = json(&response);
    assert_eq!(response.status(), 200, "{body}");
    assert_eq!(body["status"], "ready");
    assert_eq!(body["checks"]["database"]["healthy"], true);
    assert_eq!(body["checks"]["database"]["message"], "database answered");
    assert!(body["checks"]["database"]["latency_ms"].as_f64().unwrap() > 0.0);
    assert!(body["checks"]["disk"]["message"].as_str().unwrap().ends_with(" GB free"));
}

#[tokio::test]
async fn a_ready_body_has_its_fields_in_order_and_its_checks_by_name() {
    let monitor =
        Monitor::builder().check(passing("b")).check(passing("c")).check(passing("a")).build().unwrap();
    let response = monitor.ready().await;
    let body = std::str::from_utf8(response.body()).unwrap();
    let at = |text: &str| body.find(text).unwrap_or_else(|| panic!("no {text} in {body}"));
    assert!(body.starts_with(r#"{"status":"ready","timestamp":"20"#), "{body}");
    let order = [
        at("\"timestamp\""),
        at("\"checks\":{\"a\":{\"healthy\":true,\"message\":\"a passed\",\"latency_ms\":"),
    ];
    assert!(order.is_sorted() && at("\"a\":{") < at("\"b\":{") && at("\"b\":{") < at("\"c\":{"), "{body}");
}

#[tokio::test]
async fn the_timestamp_is_utc_to_the_microsecond() {
    let monitor = Monitor::builder().build().unwrap();
    let (_, body) = ready(&monitor).await;
    let shape: String = body["timestamp"]
        .as_str()
        .unwrap()
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
}

#[tokio::test]
async fn a_monitor_without_checks_is_ready_and_started() {
    let monitor = Monitor::builder().build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!((status.as_u16(), &body["checks"]), (200, &serde_json::json!({})));
    assert_eq!(monitor.startup().await.status(), 200);
}

#[tokio::test]
async fn ready_answers_503_when_the_database_is_down() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    pool.close().await;
    let monitor = Monitor::builder().check(DatabaseCheck::new(pool)).check(passing("cache")).build().unwrap();
    let response = get(&monitor, "/health/ready").await;
    let body = json(&response);
    assert_eq!(response.status(), 503);
    assert_eq!(body["status"], "not_ready");
    assert_eq!(body["checks"]["database"]["healthy"], false);
    assert_eq!(body["checks"]["database"]["message"], "database unreachable");
    assert_eq!(body["checks"]["cache"]["healthy"], true);
}

#[tokio::test]
async fn ready_answers_503_when_the_disk_is_short() {
    let disk = DiskCheck::new("/").min_free_bytes(MORE_THAN_ANY_DISK);
    let monitor = Monitor::builder().check(disk).build().unwrap();
    let response = get(&monitor, "/health/ready").await;
    assert_eq!(response.status(), 503);
    let message = json(&response)["checks"]["disk"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("low disk space: "), "{message}");
    assert!(message.ends_with(" GB free, 1152921504.61 GB needed"), "{message}");
}

#[tokio::test]
async fn ready_names_both_when_database_and_disk_fail() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    pool.close().await;
    let disk = DiskCheck::new(".").min_free_bytes(MORE_THAN_ANY_DISK);
    let monitor = Monitor::builder().check(DatabaseCheck::new(pool)).check(disk).build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["database"]["healthy"], false);
    assert_eq!(body["checks"]["disk"]["healthy"], false);
}

#[tokio::test]
async fn a_disk_path_that_is_not_there_is_unhealthy_and_not_shown() {
    let monitor = Monitor::builder().check(DiskCheck::new("/no/such/secret")).build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["disk"]["message"], "disk path not found");
}

#[tokio::test]
async fn startup_answers_503_until_every_check_has_passed_once_then_200_for_good() {
    let (one, two) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let monitor = fast().check(switched("one", &one)).check(switched("two", &two)).build().unwrap();
    let response = get(&monitor, "/health/startup").await;
    let body = json(&response);
    assert_eq!((response.status().as_u16(), &body["status"]), (503, &Value::from("starting")));
    assert_eq!(body["checks"]["two"]["message"], "off");

    one.store(false, Ordering::SeqCst);
    eventually("one fails", async || ready(&monitor).await.1["checks"]["one"]["healthy"] == false).await;
    two.store(true, Ordering::SeqCst);
    eventually("started", async || monitor.startup().await.status() == 200).await;

    two.store(false, Ordering::SeqCst);
    eventually("two fails", async || ready(&monitor).await.1["checks"]["two"]["healthy"] == false).await;
    let response = get(&monitor, "/health/startup").await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &br#"{"status":"started"}"#[..]));
}

#[tokio::test]
async fn metrics_answers_the_text_format() {
    let monitor = Monitor::builder().service("text-format", "1.2.3").build().unwrap();
    let response = get(&monitor, "/health/metrics").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = std::str::from_utf8(response.body()).unwrap();
    assert!(text.contains("build_info{service=\"text-format\",version=\"1.2.3\"} 1\n"), "{text}");
}

#[tokio::test]
async fn no_answer_may_be_kept_and_every_route_takes_head() {
    let monitor = Monitor::builder().check(passing("a")).build().unwrap();
    for path in ["/health/live", "/health/ready", "/health/startup", "/health/metrics"] {
        let response = get(&monitor, path).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        let head = request(&monitor, Method::HEAD, path).await;
        assert_eq!((head.status().as_u16(), head.body().len()), (200, 0), "{path}");
        assert_eq!(request(&monitor, Method::POST, path).await.status(), 405, "{path}");
    }
}

#[tokio::test]
async fn without_axum_the_answers_are_the_same() {
    let monitor = Monitor::builder().check(failing("broken")).build().unwrap();
    let (plain, routed) = (monitor.live(), get(&monitor, "/health/live").await);
    assert_eq!(
        (plain.status(), plain.headers(), plain.body()),
        (routed.status(), &without_length(&routed), routed.body())
    );
    assert_eq!(monitor.ready().await.status(), get(&monitor, "/health/ready").await.status());
    assert_eq!(monitor.startup().await.status(), get(&monitor, "/health/startup").await.status());
    assert_eq!(monitor.metrics().headers()[header::CONTENT_TYPE], metrics::CONTENT_TYPE);
}

fn without_length(response: &Response<Bytes>) -> http::HeaderMap {
    let mut headers = response.headers().clone();
    headers.remove(header::CONTENT_LENGTH);
    headers
}

// Deadlines

#[tokio::test(start_paused = true)]
async fn a_database_that_never_answers_gives_503_after_5s_and_stalls_nothing_else() {
    let address = silent_server().await;
    let options = PgConnectOptions::new().host("127.0.0.1").port(address.port()).username("nobody");
    let pool = PgPool::connect_lazy_with(options);
    let monitor = Monitor::builder().check(DatabaseCheck::new(pool)).check(passing("cache")).build().unwrap();

    let before = tokio::time::Instant::now();
    assert_eq!(get(&monitor, "/health/live").await.status(), 200);
    assert_eq!(before.elapsed(), Duration::ZERO, "live waits for nothing");

    let (status, body) = ready(&monitor).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["database"]["message"], "database timed out after 5s");
    assert_eq!(body["checks"]["database"]["latency_ms"], 5_000.0);
    assert_eq!(body["checks"]["cache"]["healthy"], true);
}

#[tokio::test]
async fn deadlines_are_said_compactly() {
    let address = silent_server().await;
    let options = PgConnectOptions::new().host("127.0.0.1").port(address.port()).username("nobody");
    let pool = PgPool::connect_lazy_with(options);
    let quick = DatabaseCheck::new(pool.clone()).named("orders").timeout(Duration::from_millis(250));
    let slow = DatabaseCheck::new(pool).named("users").timeout(Duration::from_millis(1_500));
    let monitor = Monitor::builder().check(quick).check(slow).build().unwrap();
    let (_, body) = ready(&monitor).await;
    assert_eq!(body["checks"]["orders"]["message"], "orders timed out after 250ms");
    assert_eq!(body["checks"]["users"]["message"], "users timed out after 1.5s");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_recovers_from_a_time_out_is_healthy_again() {
    let hang = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&hang);
    let check = check_fn("model", move || {
        let hang = seen.load(Ordering::SeqCst);
        async move {
            if hang {
                std::future::pending::<()>().await;
            }
            Ok::<_, CheckError>(())
        }
    });
    let monitor = Monitor::builder().check(check).build().unwrap();
    assert_eq!(ready(&monitor).await.1["checks"]["model"]["message"], "model timed out after 5s");
    hang.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(ready(&monitor).await.0, 200);
}

/// Blocks its thread the second time it runs, and from then on.
struct Blocking {
    runs: Arc<AtomicUsize>,
    for_long: Duration,
}

impl Check for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn run(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async {
            if self.runs.fetch_add(1, Ordering::SeqCst) > 0 {
                std::thread::sleep(self.for_long);
            }
            Ok(().into())
        })
    }
}

/// A monitor whose one check has passed once and blocks from its next run on.
async fn about_to_block(builder: MonitorBuilder, runs: &Arc<AtomicUsize>) -> Monitor {
    let blocking = Blocking { runs: Arc::clone(runs), for_long: Duration::from_millis(1_500) };
    let monitor = builder.check(blocking).build().unwrap();
    assert_eq!(ready(&monitor).await.0, 200);
    monitor
}

async fn blocking_times_out(monitor: &Monitor) {
    let began = Instant::now();
    eventually("it is timed out", async || {
        ready(monitor).await.1["checks"]["blocking"]["message"] == "blocking timed out after 100ms"
    })
    .await;
    assert!(began.elapsed() < Duration::from_millis(1_200), "only after {:?}", began.elapsed());
}

// Alone on a runtime that sleeps between runs: tokio then has one worker awake, the one that gets blocked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_keeps_its_deadline() {
    let runs = Arc::default();
    let idle = Monitor::builder().check_interval(Duration::from_millis(300));
    blocking_times_out(&about_to_block(idle, &runs).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ignores_its_deadline_stays_timed_out_and_alone_until_it_ends() {
    let runs = Arc::default();
    let monitor = about_to_block(fast().check(passing("cache")), &runs).await;
    blocking_times_out(&monitor).await;
    for _ in 0..50 {
        let (status, body) = ready(&monitor).await;
        assert_eq!((status.as_u16(), &body["checks"]["cache"]["healthy"]), (503, &Value::from(true)));
        assert_eq!(body["checks"]["blocking"]["message"], "blocking timed out after 100ms");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), 2, "a second run beside the one that hangs");
    eventually("the next run follows", async || runs.load(Ordering::SeqCst) == 3).await;
}

#[test]
fn a_result_that_comes_after_the_deadline_does_not_count() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let blocking = Blocking { runs: Arc::new(AtomicUsize::new(1)), for_long: Duration::from_millis(300) };
        let monitor = Monitor::builder().check(blocking).build().unwrap();
        assert_eq!(
            ready(&monitor).await.1["checks"]["blocking"]["message"],
            "blocking timed out after 100ms"
        );
    });
}

#[tokio::test(start_paused = true)]
async fn checks_run_side_by_side() {
    let nap = |name| {
        check_fn(name, async || {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok::<_, CheckError>(())
        })
    };
    let monitor = Monitor::builder().check(nap("a")).check(nap("b")).check(nap("c")).build().unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(monitor.ready().await.status(), 200);
    assert_eq!(before.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_probe_runs_no_check() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let check = check_fn("counted", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, CheckError>(()) }
    });
    let monitor = Monitor::builder().check(check).build().unwrap();
    for _ in 0..1_000 {
        assert_eq!(monitor.ready().await.status(), 200);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 6, "one at the start, then one every two seconds");
}

// Bad checks

#[tokio::test]
async fn a_check_that_panics_is_a_failed_check() {
    let check =
        check_fn("model", async || -> Result<(), CheckError> { panic!("weights of {} gone", "secret") });
    let monitor = Monitor::builder().check(check).check(passing("cache")).build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["model"]["message"], "model panicked");
    assert_eq!(body["checks"]["cache"]["healthy"], true);
}

#[tokio::test]
async fn a_check_that_panicked_runs_again() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let check = check_fn("flaky", move || {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 0, "the first run panics before it has a future");
        async { Ok::<_, CheckError>(()) }
    });
    let monitor = fast().check(check).build().unwrap();
    assert_eq!(ready(&monitor).await.1["checks"]["flaky"]["message"], "flaky panicked");
    eventually("it passes", async || ready(&monitor).await.0 == 200).await;
}

#[tokio::test]
async fn an_errors_text_stays_out_of_the_body() {
    let leaky = || async { Err::<(), _>(std::io::Error::other("password=hunter2 at 10.0.0.7")) };
    let monitor = Monitor::builder().check(check_fn("search", leaky)).build().unwrap();
    let response = monitor.ready().await;
    assert_eq!(json(&response)["checks"]["search"]["message"], "search failed");
    assert!(!String::from_utf8_lossy(response.body()).contains("hunter2"));
}

#[tokio::test]
async fn a_check_says_in_public_what_it_chooses_to() {
    let stale = async || Err::<(), _>(CheckError::new("index is \"old\"").caused_by("built on 10.0.0.7"));
    let filled = async || Ok::<_, CheckError>(format!("{} documents", 42));
    let monitor =
        Monitor::builder().check(check_fn("index", stale)).check(check_fn("store", filled)).build().unwrap();
    let (_, body) = ready(&monitor).await;
    assert_eq!(body["checks"]["index"]["message"], "index is \"old\"");
    assert_eq!(body["checks"]["store"]["message"], "42 documents");
}

// Logs

/// One event: its level and its fields but the message.
type Line = (Level, Vec<(String, String)>);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Line>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target().starts_with("monitor_runtime::health") {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
        }
    }
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push((field.name().into(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.push((field.name().into(), value.into()));
    }

    fn record_error(&mut self, field: &tracing::field::Field, value: &(dyn std::error::Error + 'static)) {
        self.0.push((field.name().into(), value.to_string()));
    }
}

fn line(level: Level, fields: &[(&str, &str)]) -> Line {
    (level, fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

#[tokio::test(start_paused = true)]
async fn the_log_has_a_line_a_turn_with_the_detail_and_none_a_run() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), lines.clone());
    let _scope = tracing::subscriber::set_default(subscriber);
    let on = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&on);
    let check = check_fn("model", move || {
        let on = seen.load(Ordering::SeqCst);
        async move { if on { Ok(()) } else { Err(std::io::Error::other("no route to 10.0.0.7")) } }
    });
    let monitor = Monitor::builder().check(check).build().unwrap();
    monitor.ready().await;
    for turn in [false, true] {
        on.store(turn, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    let (passes, failed) = (("message", "health check passes"), ("message", "health check failed"));
    let detail = ("error", "no route to 10.0.0.7");
    assert_eq!(
        *lines.0.lock().unwrap(),
        [
            line(Level::INFO, &[passes, ("check", "model"), ("reason", "model passed")]),
            line(Level::ERROR, &[failed, ("check", "model"), ("reason", "model failed"), detail]),
            line(Level::INFO, &[passes, ("check", "model"), ("reason", "model passed")]),
        ]
    );
}

// Age

#[test]
fn readings_of_a_dead_engine_turn_stale() {
    let engine = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let timeout = Duration::from_millis(100);
    let monitor = engine.block_on(async {
        let check = check_fn("cache", async || Ok::<_, CheckError>(())).timeout(timeout);
        let monitor = fast().check(check).build().unwrap();
        assert_eq!(ready(&monitor).await.0, 200);
        monitor
    });
    drop(engine);
    let probes = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(probes.block_on(ready(&monitor)).0, 200, "three intervals and the timeout are not over");
    std::thread::sleep(Duration::from_millis(1_100));
    let (status, body) = probes.block_on(ready(&monitor));
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["cache"]["message"], "cache check is stale: last run 1s ago");
}

#[test]
fn a_monitor_built_outside_a_runtime_starts_at_the_first_probe() {
    let monitor = Monitor::builder().check(passing("cache")).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(ready(&monitor)).0, 200);
}

#[test]
fn a_monitor_without_any_runtime_is_not_ready_and_says_so() {
    let monitor = Monitor::builder().check(passing("cache")).build().unwrap();
    let response =
        futures_util::FutureExt::now_or_never(monitor.ready()).expect("there is nothing to wait for");
    let body = json(&response);
    assert_eq!(response.status(), 503);
    assert_eq!(body["checks"]["cache"]["message"], "cache has not run yet");
    assert_eq!(body["checks"]["cache"]["latency_ms"], Value::Null);
}

// Life

#[tokio::test]
async fn two_monitors_in_one_process_have_checks_of_their_own() {
    let well = Monitor::builder().check(passing("shared_name")).build().unwrap();
    let unwell = Monitor::builder().check(failing("shared_name")).build().unwrap();
    assert_eq!(ready(&well).await.0, 200);
    assert_eq!(ready(&unwell).await.0, 503);
    assert_eq!(ready(&well).await.0, 200);
}

#[tokio::test]
async fn checks_stop_with_the_last_clone_of_their_monitor() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let check = check_fn("hanging", move || {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, CheckError>(())
        }
    });
    let monitor = fast().check(check).build().unwrap();
    let clone = monitor.clone();
    eventually("it runs", async || Arc::strong_count(&alive) == 3).await;
    drop(monitor);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(Arc::strong_count(&alive), 3, "a clone is left");
    drop(clone);
    eventually("check and run are gone", async || Arc::strong_count(&alive) == 1).await;
}

#[tokio::test]
async fn runs_show_in_the_metrics() {
    let on = Arc::new(AtomicBool::new(true));
    let monitor = fast().check(switched("measured", &on)).build().unwrap();
    monitor.ready().await;
    assert_eq!(sample("health_check_status{check=\"measured\"}"), Some(1.0));
    let passed = sample("health_check_last_success_timestamp_seconds{check=\"measured\"}").unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - passed).abs() < 60.0, "{passed} is not now, {now}");
    assert!(sample("health_check_duration_seconds{check=\"measured\"}").unwrap() < 5.0);
    on.store(false, Ordering::SeqCst);
    eventually("it fails", async || sample("health_check_status{check=\"measured\"}") == Some(0.0)).await;
}

#[tokio::test]
async fn a_check_that_never_passed_has_its_last_success_at_0() {
    let monitor = Monitor::builder().check(failing("never_well")).build().unwrap();
    monitor.ready().await;
    assert_eq!(sample("health_check_status{check=\"never_well\"}"), Some(0.0));
    assert_eq!(sample("health_check_last_success_timestamp_seconds{check=\"never_well\"}"), Some(0.0));
}

fn sample(series: &str) -> Option<f64> {
    metrics::render().lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

// Refusals

fn refusal(builder: MonitorBuilder) -> String {
    builder.build().expect_err("refused").to_string()
}

#[test]
fn two_checks_of_one_name_are_refused() {
    let builder = Monitor::builder().check(passing("cache")).check(passing("cache"));
    assert_eq!(
        refusal(builder),
        "two checks are named `cache`; expected each check of a monitor to have a name of its own"
    );
}

#[test]
fn a_check_name_that_fits_no_label_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().check(passing("My Cache"))),
        "invalid check name \"My Cache\"; expected a lower-case letter, then up to 62 lower-case letters, digits, `-` or `_`"
    );
}

#[test]
fn a_timeout_of_zero_is_refused() {
    let check = check_fn("cache", async || Ok::<_, CheckError>(())).timeout(Duration::ZERO);
    assert_eq!(
        refusal(Monitor::builder().check(check)),
        "check `cache` has a timeout of zero; expected a longer one, such as 5s"
    );
}

#[test]
fn an_interval_of_zero_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().check_interval(Duration::ZERO)),
        "the check interval is zero; expected a longer one, such as 2s"
    );
}

#[test]
fn buckets_that_make_no_histogram_are_refused() {
    let text = refusal(Monitor::builder().agent_buckets([]));
    assert!(text.starts_with("invalid agent_buckets: no bucket bounds were given; expected"), "{text}");
    let text = refusal(Monitor::builder().skill_buckets([1.0, 0.5]));
    assert!(text.starts_with("invalid skill_buckets: bucket bound 0.5 follows 1; expected"), "{text}");
    let text = refusal(Monitor::builder().query_buckets([f64::NAN]));
    assert!(text.starts_with("invalid query_buckets: bucket bound NaN is not"), "{text}");
    let text = refusal(Monitor::builder().http_buckets([1.0, f64::INFINITY]));
    assert!(text.starts_with("invalid http_buckets: bucket bound inf is not"), "{text}");
}

#[test]
fn a_series_limit_of_zero_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().series_limit(0)),
        "the series limit is zero; expected at least 1 series a metric, 2000 when not set"
    );
}

#[test]
fn a_service_name_that_is_no_label_value_is_refused() {
    for name in ["", "my service", "-agents", "agents.", &"x".repeat(64)] {
        assert_eq!(
            refusal(Monitor::builder().service(name, "1.0")),
            format!(
                "invalid service name {name:?}; expected 1 to 63 letters, digits, `-`, `_` or `.`, the first and the last a letter or digit"
            )
        );
    }
}

#[test]
fn an_empty_version_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().service("agents", "")),
        "the version of service `agents` is empty; expected a text such as \"1.4.2\""
    );
}

#[test]
fn a_registry_with_metrics_of_our_names_is_refused() {
    let registry = prometheus::Registry::new();
    let theirs = prometheus::IntCounter::new("log_events_dropped_total", "Another meaning.").unwrap();
    registry.register(Box::new(theirs)).unwrap();
    let error = Monitor::builder().registry(registry).build().unwrap_err();
    assert!(matches!(error, BuildError::Registry { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("the given registry refuses our metrics (log_events_dropped_total: "), "{text}");
    assert!(text.ends_with("); expected one without metrics of the same names"), "{text}");
}

#[tokio::test]
async fn pools_without_a_name_of_their_own_are_refused() {
    let pool = SqlitePool::connect_lazy("sqlite::memory:").unwrap();
    assert_eq!(
        refusal(Monitor::builder().pool("main", &pool).pool("main", &pool)),
        "two pools are named `main`; expected each pool of a monitor to have a name of its own"
    );
    assert_eq!(
        refusal(Monitor::builder().pool("", &pool)),
        "a pool's name is empty; expected a text such as \"main\""
    );
}

#[test]
fn a_refused_monitor_names_no_service() {
    refusal(Monitor::builder().service("never-built", "1.0").check_interval(Duration::ZERO));
    assert!(!metrics::render().contains("never-built"));
}

// Settings

#[tokio::test]
async fn a_registry_that_the_user_has_shows_both_ours_and_theirs() {
    let registry = prometheus::Registry::new();
    let theirs = prometheus::IntCounter::new("jobs_done_total", "Jobs done.").unwrap();
    registry.register(Box::new(theirs.clone())).unwrap();
    theirs.inc();
    let first = Monitor::builder().registry(registry.clone()).build().unwrap();
    let again = Monitor::builder().registry(registry).build().unwrap();
    for monitor in [first, again] {
        let response = monitor.metrics();
        let text = std::str::from_utf8(response.body()).unwrap();
        assert!(text.contains("jobs_done_total 1\n"), "{text}");
        assert!(text.contains("# TYPE build_info gauge\n"), "{text}");
    }
}

#[tokio::test]
async fn a_service_without_a_name_is_called_like_its_executable() {
    let monitor = Monitor::builder().build().unwrap();
    let response = monitor.metrics();
    let text = std::str::from_utf8(response.body()).unwrap();
    let line = text.lines().find(|line| line.starts_with("build_info{service=\"health-")).unwrap();
    assert!(line.ends_with("version=\"unknown\"} 1"), "{line}");
}
