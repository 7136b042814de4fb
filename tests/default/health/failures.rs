//! Checks that fail and panic: what the body says, and what only the log says.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use monitor_runtime::Monitor;
use monitor_runtime::health::{CheckError, check_fn};
use tracing::Level;

use crate::health::{fast, json, passing, ready, sample, settle};
use crate::support::tcp::eventually;

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
    eventually("it passes", async || ready(&monitor).await.0 == 200).await;
    assert_eq!(sample("health_check_runs_total{check=\"flaky\",outcome=\"panicked\"}"), Some(1.0));
}

#[tokio::test]
async fn an_errors_text_stays_out_of_the_body() {
    let leaky = || async { Err::<(), _>(std::io::Error::other("password=hunter2 at 10.0.0.7")) };
    let monitor = Monitor::builder().check(check_fn("search", leaky)).build().unwrap();
    settle(&monitor).await;
    let response = monitor.ready();
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
    settle(&monitor).await;
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

/// An error whose chain is a circle.
#[derive(Debug)]
struct Circle;

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("again")
    }
}

impl std::error::Error for Circle {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Self)
    }
}

/// An error that cannot be put into words.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("on purpose")
    }
}

impl std::error::Error for Unspeakable {}

#[tokio::test]
async fn an_endless_or_panicking_error_is_logged_and_checks_continue() {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), lines.clone());
    let _scope = tracing::subscriber::set_default(subscriber);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let circle = check_fn("circle", async || Err::<(), _>(Circle));
    let unspeakable = check_fn("unspeakable", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<(), _>(Unspeakable) }
    });
    let monitor = fast().check(circle).check(unspeakable).build().unwrap();
    settle(&monitor).await;
    let (_, body) = ready(&monitor).await;
    assert_eq!(body["checks"]["circle"]["message"], "circle failed");
    assert_eq!(body["checks"]["unspeakable"]["message"], "unspeakable failed");
    let before = runs.load(Ordering::SeqCst);
    eventually("the check runs again", async || runs.load(Ordering::SeqCst) > before).await;

    let lines = lines.0.lock().unwrap().clone();
    let said = |check: &str, name: &str| {
        let line = lines.iter().find(|(_, fields)| fields.contains(&("check".into(), check.into())));
        let (_, fields) = line.unwrap_or_else(|| panic!("no line of {check}: {lines:?}"));
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
    };
    assert_eq!(said("circle", "error").unwrap(), "again");
    assert!(said("circle", "error.chain").unwrap().ends_with("again: …[truncated after 64 sources]"));
    assert_eq!(said("unspeakable", "error").unwrap(), "an error whose `Display` panics");
}
