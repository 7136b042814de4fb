//! When checks run, how readings age, and what is left when a monitor is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use monitor_runtime::Monitor;
use monitor_runtime::health::{CheckError, check_fn};
use serde_json::Value;

use crate::health::{failing, fast, json, passing, ready, sample, settle, switched};
use crate::support::tcp::eventually;

#[test]
fn readings_of_a_dead_engine_turn_stale() {
    let engine = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let passing = |name, timeout| check_fn(name, async || Ok::<_, CheckError>(())).timeout(timeout);
    let monitor = engine.block_on(async {
        let (cache, model) =
            (passing("cache", Duration::from_secs(1)), passing("model", Duration::from_hours(1)));
        let monitor = fast().check(cache).check(model).build().unwrap();
        eventually("both pass", async || ready(&monitor).await.0 == 200).await;
        monitor
    });
    drop(engine);
    let probes = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (status, body) = probes.block_on(async {
        eventually("one is stale", async || ready(&monitor).await.0 == 503).await;
        ready(&monitor).await
    });
    assert_eq!(status, 503);
    let (cache, model) = (&body["checks"]["cache"], &body["checks"]["model"]);
    assert_eq!((&cache["status"], &cache["healthy"]), (&"stale".into(), &false.into()));
    assert!(cache["message"].as_str().unwrap().starts_with("cache check is stale: last run "), "{cache}");
    assert!(cache["age_ms"].as_f64().unwrap() >= 1_030.0, "before three intervals and the timeout: {cache}");
    assert_eq!(model["healthy"], true, "its timeout is not over: {model}");
}

#[test]
fn a_scrape_shows_a_dead_engine_as_stale_and_counts_it_once() {
    let engine = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Longer than a busy machine keeps a thread waiting.
    let check = check_fn("doomed", async || Ok::<_, CheckError>(())).timeout(Duration::from_secs(2));
    let monitor = engine.block_on(async {
        let monitor = fast().check(check).build().unwrap();
        settle(&monitor).await;
        assert_eq!(sample("health_check_stale{check=\"doomed\"}"), Some(0.0));
        monitor
    });
    drop(engine);
    let scrapes = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_stale = async || sample("health_check_stale{check=\"doomed\"}") == Some(1.0);
    scrapes.block_on(eventually("it is stale", is_stale));
    for _ in 0..3 {
        assert_eq!(sample("health_check_stale{check=\"doomed\"}"), Some(1.0));
        assert_eq!(sample("health_check_status{check=\"doomed\"}"), Some(0.0));
        assert_eq!(sample("health_check_transitions_total{check=\"doomed\",to=\"stale\"}"), Some(1.0));
    }
    drop(monitor);
}

/// Panics on the first line about checks.
struct Panicking(AtomicBool);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Panicking {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let is_ours = event.metadata().target().starts_with("monitor_runtime::health");
        assert!(!is_ours || self.0.swap(true, Ordering::SeqCst), "a log layer that panics");
    }
}

#[tokio::test]
async fn a_supervisor_that_panics_is_started_again() {
    let layer = Panicking(AtomicBool::new(false));
    let subscriber = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), layer);
    let _scope = tracing::subscriber::set_default(subscriber);
    let on = Arc::new(AtomicBool::new(true));
    let monitor = fast().check(switched("survivor", &on)).build().unwrap();
    assert_eq!(ready(&monitor).await.0, 200);
    on.store(false, Ordering::SeqCst);
    eventually("it is looked at again", async || ready(&monitor).await.0 == 503).await;
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
    let response = monitor.ready();
    let body = json(&response);
    assert_eq!(response.status(), 503);
    assert_eq!(body["checks"]["cache"]["message"], "cache has not run yet");
    assert_eq!(body["checks"]["cache"]["latency_ms"], Value::Null);
}

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
    settle(&monitor).await;
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
    settle(&monitor).await;
    assert_eq!(sample("health_check_status{check=\"never_well\"}"), Some(0.0));
    assert_eq!(sample("health_check_last_success_timestamp_seconds{check=\"never_well\"}"), Some(0.0));
}
