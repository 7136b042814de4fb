//! The effect of a check's policy on its runs, and the metrics of each run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use monitor_runtime::health::{CheckError, DiskCheck, Policy, Report, check_fn};
use monitor_runtime::{Monitor, metrics};
use serde_json::Value;

use crate::health::{failing, fast, passing, ready, sample, settle, switched};
use crate::support::tcp::eventually;

/// The readiness answer for one check.
async fn said(monitor: &Monitor, check: &str) -> (u16, Value) {
    let (status, mut body) = ready(monitor).await;
    (status.as_u16(), body["checks"][check].take())
}

#[tokio::test]
async fn a_failed_non_critical_check_leaves_readiness_at_200() {
    let monitor = Monitor::builder()
        .check(passing("cache"))
        .check_with(Policy::non_critical(), failing("search"))
        .build()
        .unwrap();
    let (status, search) = said(&monitor, "search").await;
    assert_eq!(status, 200);
    assert_eq!((&search["healthy"], &search["status"]), (&false.into(), &"unhealthy".into()));
    assert_eq!(
        (&search["severity"], &search["message"]),
        (&"non_critical".into(), &"search is broken".into())
    );
    assert_eq!(monitor.startup().status(), 200, "start-up does not wait for it");
    assert_eq!(sample("health_check_status{check=\"search\"}"), Some(0.0));
}

#[tokio::test]
async fn a_check_that_warns_is_healthy_and_shown_as_degraded() {
    let check = check_fn("queue", async || Ok::<_, CheckError>(Report::warn("queue is long")));
    let monitor = Monitor::builder().check(check).build().unwrap();
    let (status, queue) = said(&monitor, "queue").await;
    assert_eq!((status, &queue["healthy"], &queue["status"]), (200, &true.into(), &"degraded".into()));
    assert_eq!((&queue["severity"], &queue["message"]), (&"critical".into(), &"queue is long".into()));
}

#[tokio::test(start_paused = true)]
async fn a_check_changes_state_after_the_consecutive_runs_required() {
    let on = Arc::new(AtomicBool::new(true));
    // Every 20 ms of the paused clock a look at the counts renders a scrape of the whole process.
    let policy =
        Policy::critical().failure_threshold(3).success_threshold(2).interval(Duration::from_millis(100));
    let monitor = Monitor::builder().check_with(policy, switched("flappy", &on)).build().unwrap();
    let steps = [
        (true, 503, "on (passed 1 of 2)"),
        (true, 200, "on"),
        (false, 200, "off (failed 1 of 3)"),
        (false, 200, "off (failed 2 of 3)"),
        (true, 200, "on"),
        (false, 200, "off (failed 1 of 3)"),
        (false, 200, "off (failed 2 of 3)"),
        (false, 503, "off"),
        (true, 503, "on (passed 1 of 2)"),
        (true, 200, "on"),
    ];
    let counted =
        |outcome| sample(&format!("health_check_runs_total{{check=\"flappy\",outcome=\"{outcome}\"}}"));
    let runs = || counted("passed").unwrap() + counted("failed").unwrap();
    for (step, (is_on, status, message)) in (1_u32..).zip(steps) {
        on.store(is_on, Ordering::SeqCst);
        eventually("the next run has ended", async || runs() == f64::from(step)).await;
        let (code, check) = said(&monitor, "flappy").await;
        assert_eq!((code, &check["message"]), (status, &message.into()), "run {step}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_check_has_the_interval_of_its_policy() {
    let counted = |name, runs: &Arc<AtomicUsize>| {
        let runs = Arc::clone(runs);
        check_fn(name, move || {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, CheckError>(()) }
        })
    };
    let (often, seldom) = (Arc::default(), Arc::default());
    let _monitor = Monitor::builder()
        .check_with(Policy::critical().interval(Duration::from_millis(100)), counted("often", &often))
        .check_with(Policy::critical().interval(Duration::from_mins(1)), counted("seldom", &seldom))
        .build()
        .unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!((80..=120).contains(&often.load(Ordering::SeqCst)), "{often:?}");
    assert_eq!(seldom.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_policy_takes_the_place_of_the_checks_own() {
    let hanging = check_fn("model", async || {
        std::future::pending::<()>().await;
        Ok::<_, CheckError>(())
    });
    let policy = Policy::critical().timeout(Duration::from_millis(300));
    let monitor =
        Monitor::builder().check_with(policy, hanging.timeout(Duration::from_mins(1))).build().unwrap();
    assert_eq!(said(&monitor, "model").await.1["message"], "model timed out after 300ms");
}

#[tokio::test(start_paused = true)]
async fn runs_do_not_overlap_if_the_interval_is_below_the_timeout() {
    let running = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&running);
    let check = check_fn("slow", move || {
        let running = Arc::clone(&seen);
        async move {
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two runs at a time");
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, CheckError>(())
        }
    });
    let policy = Policy::critical().interval(Duration::from_millis(1)).timeout(Duration::from_secs(5));
    let monitor = Monitor::builder().check_with(policy, check).build().unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(said(&monitor, "slow").await.1["message"], "slow passed");
}

#[tokio::test(start_paused = true)]
async fn every_run_is_counted_once_by_its_outcome() {
    let counts = || {
        ["passed", "failed", "timed_out", "panicked"].map(|outcome| {
            sample(&format!("health_check_runs_total{{check=\"fickle\",outcome=\"{outcome}\"}}"))
        })
    };
    let runs = AtomicUsize::new(0);
    let check = check_fn("fickle", move || {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        async move {
            match run {
                0 => Ok(()),
                1 | 2 => Err(CheckError::new("no")),
                3 => panic!("the fourth run panics"),
                _ => std::future::pending().await,
            }
        }
    });
    let monitor = Monitor::builder().check(check).build().unwrap();
    assert_eq!(counts(), [Some(0.0); 4], "all four are there from the start");
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(counts(), [1.0, 2.0, 1.0, 1.0].map(Some));
    drop(monitor);
}

#[tokio::test]
async fn turns_are_counted_and_runs_that_turn_nothing_are_not() {
    let counts = || {
        ["healthy", "unhealthy", "stale"]
            .map(|to| sample(&format!("health_check_transitions_total{{check=\"turning\",to=\"{to}\"}}")))
    };
    let on = Arc::new(AtomicBool::new(true));
    let monitor = fast().check(switched("turning", &on)).build().unwrap();
    assert_eq!(counts(), [Some(0.0); 3], "all three are there from the start");
    for (is_on, expected) in [(true, [1.0, 0.0, 0.0]), (false, [1.0, 1.0, 0.0]), (true, [2.0, 1.0, 0.0])] {
        on.store(is_on, Ordering::SeqCst);
        eventually("it has turned", async || counts() == expected.map(Some)).await;
        for _ in 0..10 {
            settle(&monitor).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(counts(), expected.map(Some));
    }
}

#[tokio::test]
async fn a_disk_check_shows_what_it_read() {
    let monitor = Monitor::builder().check(DiskCheck::new("/usr/..").min_free_bytes(0)).build().unwrap();
    settle(&monitor).await;
    let [free, size] = ["free", "size"]
        .map(|what| sample(&format!("disk_{what}_bytes{{path=\"/usr/..\"}}")).expect("a reading"));
    assert!(free > 0.0 && free <= size, "{free} of {size}");
}

#[tokio::test]
async fn readiness_is_a_gauge_that_follows_the_checks() {
    let text = || metrics::render();
    let on = Arc::new(AtomicBool::new(false));
    let monitor = fast().check(switched("gauged", &on)).build().unwrap();
    settle(&monitor).await;
    assert!(text().contains("\nhealth_ready 0\n"), "one monitor that is not ready is enough");
    assert_eq!(sample("health_check_status{check=\"gauged\"}"), Some(0.0));
    on.store(true, Ordering::SeqCst);
    eventually("it is healthy", async || sample("health_check_status{check=\"gauged\"}") == Some(1.0)).await;
    drop(monitor);
    assert_eq!(sample("health_check_status{check=\"gauged\"}"), None, "it goes with its monitor");
}
