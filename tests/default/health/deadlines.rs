//! Checks that hang, block and nap: each run ends at its deadline and stalls nothing else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use monitor_runtime::health::{BoxFuture, Check, CheckError, CheckResult, DatabaseCheck, check_fn};
use monitor_runtime::{Monitor, MonitorBuilder};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool};

use crate::health::{fast, get, passing, ready, settle};
use crate::support::tcp::{eventually, silent_server};

#[tokio::test(start_paused = true)]
async fn a_silent_database_is_503_after_5s_and_delays_nothing_else() {
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

/// Blocks its thread, once it is told to, until it is released.
struct Blocking {
    is_told: Arc<AtomicBool>,
    /// How many runs have blocked.
    blocked: Arc<AtomicUsize>,
    released: Mutex<mpsc::Receiver<()>>,
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
            if self.is_told.load(Ordering::SeqCst) {
                self.blocked.fetch_add(1, Ordering::SeqCst);
                // Ends with the sender.
                let _ = self.released.lock().unwrap().recv();
            }
            Ok(().into())
        })
    }
}

/// A monitor whose check `blocking` has passed and blocks from its next run on, how many runs have blocked, and what
/// releases them when it is dropped.
async fn about_to_block(builder: MonitorBuilder) -> (Monitor, Arc<AtomicUsize>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let (is_told, blocked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let check = Blocking {
        is_told: Arc::clone(&is_told),
        blocked: Arc::clone(&blocked),
        released: Mutex::new(released),
    };
    let monitor = builder.check(check).build().unwrap();
    eventually("it passes", async || ready(&monitor).await.0 == 200).await;
    is_told.store(true, Ordering::SeqCst);
    (monitor, blocked, release)
}

async fn blocking_times_out(monitor: &Monitor) {
    eventually("it is timed out", async || {
        ready(monitor).await.1["checks"]["blocking"]["message"] == "blocking timed out after 100ms"
    })
    .await;
}

// Alone on a runtime that sleeps between runs: tokio then has one worker awake, the one that gets blocked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_keeps_its_deadline() {
    let idle = Monitor::builder().check_interval(Duration::from_millis(300));
    let (monitor, blocked, _release) = about_to_block(idle).await;
    eventually("a run blocks", async || blocked.load(Ordering::SeqCst) == 1).await;
    blocking_times_out(&monitor).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_run_stays_timed_out_and_alone_until_it_ends() {
    let (monitor, blocked, release) = about_to_block(fast().check(passing("cache"))).await;
    eventually("a run blocks", async || blocked.load(Ordering::SeqCst) == 1).await;
    blocking_times_out(&monitor).await;
    for _ in 0..50 {
        let (status, body) = ready(&monitor).await;
        assert_eq!((status.as_u16(), &body["checks"]["cache"]["healthy"]), (503, &Value::from(true)));
        assert_eq!(body["checks"]["blocking"]["message"], "blocking timed out after 100ms");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(blocked.load(Ordering::SeqCst), 1, "a second run beside the one that hangs");
    drop(release);
    eventually("the next run follows", async || blocked.load(Ordering::SeqCst) > 1).await;
}

#[test]
fn a_result_that_comes_after_the_deadline_does_not_count() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let blocking = check_fn("blocking", async || {
            std::thread::sleep(Duration::from_millis(300));
            Ok::<_, CheckError>(())
        });
        let late = blocking.timeout(Duration::from_millis(100));
        let monitor = Monitor::builder().check(late).build().unwrap();
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
    assert_eq!(ready(&monitor).await.0, 200);
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
    settle(&monitor).await;
    for _ in 0..1_000 {
        assert_eq!(monitor.ready().status(), 200);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let runs = runs.load(Ordering::SeqCst);
    assert!((5..=7).contains(&runs), "one at the start, then one about every two seconds: {runs}");
}
