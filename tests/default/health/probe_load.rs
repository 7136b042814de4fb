//! Ten thousand probes at once, while a check sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use monitor_runtime::Monitor;
use monitor_runtime::health::{CheckError, check_fn};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::support::tcp::eventually;

const AN_HOUR: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_sleeps_an_hour_runs_once_whatever_probes_arrive() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let sleeping = check_fn("sleeping", move || {
        let earlier = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if earlier > 0 {
                tokio::time::sleep(AN_HOUR).await;
            }
            Ok::<_, CheckError>(())
        }
    });
    let monitor = Monitor::builder()
        .check_interval(Duration::from_millis(10))
        .check(sleeping.timeout(2 * AN_HOUR))
        .build()
        .unwrap();
    eventually("it sleeps", async || runs.load(Ordering::SeqCst) == 2).await;

    let routes = monitor.routes();
    let probe = |path| routes.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
    let paths = ["/health/ready", "/health/ready?verbose", "/health/startup", "/health/live"];
    let mut probes: JoinSet<_> = (0..10_000).map(|number| probe(paths[number % paths.len()])).collect();
    while let Some(answer) = probes.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 2, "the first, and the one that sleeps");
}
