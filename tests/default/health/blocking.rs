//! Checks of functions that block their thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use monitor_runtime::Monitor;
use monitor_runtime::health::{CheckError, Policy, check_blocking};

use crate::health::{fast, passing, ready, sample};
use crate::support::tcp::eventually;

#[tokio::test]
async fn a_blocking_function_passes_fails_and_panics_like_any_check() {
    let monitor = Monitor::builder()
        .check(check_blocking("well", || Ok::<_, CheckError>("all is well")))
        .check(check_blocking("missing", || std::fs::metadata("/no/such/secret").map(drop)))
        .check(check_blocking("broken", || -> Result<(), CheckError> { panic!("it breaks") }))
        .build()
        .unwrap();
    let (status, body) = ready(&monitor).await;
    let message = |check: &str| body["checks"][check]["message"].as_str().unwrap().to_owned();
    assert_eq!(status, 503);
    assert_eq!(
        ["well", "missing", "broken"].map(message),
        ["all is well", "missing failed", "broken panicked"]
    );
}

// On one thread, which a call that blocked it would stop.
#[tokio::test]
async fn a_call_that_hangs_is_timed_out_and_never_joined_by_a_second() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (release, released) = mpsc::channel::<()>();
    let (counted, released) = (Arc::clone(&calls), std::sync::Mutex::new(released));
    let hanging = check_blocking("mount", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = released.lock().unwrap().recv();
        Ok::<_, CheckError>(())
    });
    let policy = Policy::critical().timeout(Duration::from_millis(50));
    let monitor = fast().check_with(policy, hanging).check(passing("cache")).build().unwrap();
    let timed_out = || sample("health_check_runs_total{check=\"mount\",outcome=\"timed_out\"}");
    eventually("many runs are timed out", async || timed_out() >= Some(5.0)).await;
    let (_, body) = ready(&monitor).await;
    assert_eq!(body["checks"]["mount"]["message"], "mount timed out after 50ms");
    assert_eq!(body["checks"]["cache"]["healthy"], true);
    assert_eq!(calls.load(Ordering::SeqCst), 1, "calls while the first one hangs");
    drop(release);
    eventually("it passes", async || ready(&monitor).await.0 == 200).await;
}
