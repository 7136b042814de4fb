//! Databases that a function reaches, and the pool around it.

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use monitor_runtime::health::{Check, CheckError, CheckResult, Report, check_database};
use monitor_runtime::testing::capture_logs_async;
use monitor_runtime::{BuildError, Monitor, PoolState, metrics};
use sqlx::sqlite::SqlitePool;
use tokio::time::{advance, timeout};

use crate::health::{fast, ready, sample};
use crate::support::tcp::eventually;

const IDLE: PoolState = PoolState { active: 1, idle: 1, max: 2 };
const LEASED: PoolState = PoolState { active: 2, idle: 0, max: 2 };

/// How the database takes a ping.
#[derive(Clone, Copy)]
enum Answer {
    One,
    None,
    Refusal,
}

/// A database and the pool before it.
#[derive(Clone)]
struct Database(Arc<Mutex<(Answer, PoolState)>>);

impl Database {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((Answer::One, IDLE))))
    }

    fn set(&self, answer: Answer, pool: PoolState) {
        *self.0.lock().unwrap() = (answer, pool);
    }

    fn state(&self) -> impl Fn() -> PoolState + Clone + use<> {
        let database = self.clone();
        move || database.0.lock().unwrap().1
    }

    fn check(&self) -> impl Check + use<> {
        let database = self.clone();
        let ping = move || {
            let answer = database.0.lock().unwrap().0;
            async move {
                match answer {
                    Answer::One => Ok(1),
                    Answer::None => pending().await,
                    Answer::Refusal => Err(io::Error::other("password=hunter2 at 10.0.0.7")),
                }
            }
        };
        check_database("redis", ping).pool_state(self.state())
    }
}

fn answered() -> Report {
    "redis answered".into()
}

fn saturated() -> Report {
    Report::warn("pool saturated")
}

/// The public message of a failed run.
fn failure(result: CheckResult) -> String {
    let text = format!("{:?}", result.unwrap_err());
    text.split(": ").next().unwrap().to_owned()
}

async fn is_silent(check: &impl Check) -> bool {
    timeout(Duration::from_secs(5), check.run()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn messages_begin_with_the_name_and_hide_the_error() {
    let database = Database::new();
    let monitor = fast().check(database.check()).build().unwrap();
    let becomes = async |status: u16, message: &str| {
        eventually(message, async || {
            let (found, body) = ready(&monitor).await;
            found == status && body["checks"]["redis"]["message"] == message
        })
        .await;
    };
    becomes(200, "redis answered").await;
    database.set(Answer::Refusal, IDLE);
    becomes(503, "redis unreachable").await;
    database.set(Answer::None, IDLE);
    becomes(503, "redis timed out after 5s").await;
    database.set(Answer::One, LEASED);
    becomes(200, "pool saturated").await;
    assert_eq!(ready(&monitor).await.1["checks"]["redis"]["status"], "degraded");
}

#[tokio::test]
async fn ping_chooses_the_message_of_its_error() {
    let full = async || Err::<(), _>(CheckError::new("database out of connections"));
    assert_eq!(failure(check_database("database", full).run().await), "database out of connections");
    let text = async || Err::<(), _>("53300");
    assert_eq!(failure(check_database("database", text).run().await), "database unreachable");
}

#[tokio::test(start_paused = true)]
async fn full_pool_is_saturated_for_ten_seconds_after_the_last_answer() {
    let database = Database::new();
    let check = database.check();
    assert_eq!(check.run().await.unwrap(), answered());
    database.set(Answer::None, LEASED);
    for _ in 0..3 {
        assert_eq!(check.run().await.unwrap(), saturated());
    }
    assert!(is_silent(&check).await);
    assert!(is_silent(&check).await, "a missed deadline ends the trust");
    database.set(Answer::One, LEASED);
    assert_eq!(check.run().await.unwrap(), saturated());
    database.set(Answer::None, LEASED);
    assert_eq!(check.run().await.unwrap(), saturated(), "it has answered since");
}

#[tokio::test(start_paused = true)]
async fn silence_counts_if_the_pool_has_room() {
    let database = Database::new();
    let check = database.check();
    for (before, after) in [(IDLE, IDLE), (IDLE, LEASED), (LEASED, IDLE)] {
        database.set(Answer::One, IDLE);
        assert_eq!(check.run().await.unwrap(), answered());
        database.set(Answer::None, before);
        let turn = async {
            advance(Duration::from_secs(1)).await;
            database.set(Answer::None, after);
            pending::<()>().await;
        };
        tokio::select! {
            () = turn => {}
            is_silent = is_silent(&check) => assert!(is_silent, "{before:?} {after:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_counts_if_the_pool_has_room_or_trust_has_ended() {
    let database = Database::new();
    let check = database.check();
    assert_eq!(check.run().await.unwrap(), answered());
    database.set(Answer::Refusal, LEASED);
    assert_eq!(check.run().await.unwrap(), saturated());
    advance(Duration::from_secs(10)).await;
    assert_eq!(failure(check.run().await), "redis unreachable");

    database.set(Answer::One, IDLE);
    assert_eq!(check.run().await.unwrap(), answered());
    database.set(Answer::Refusal, IDLE);
    assert_eq!(failure(check.run().await), "redis unreachable");
    database.set(Answer::Refusal, LEASED);
    assert_eq!(failure(check.run().await), "redis unreachable", "a failure ends the trust");
}

#[tokio::test]
async fn refusal_behind_a_full_pool_is_logged_once() {
    let database = Database::new();
    let check = database.check();
    let lines = capture_logs_async(async {
        for _ in 0..2 {
            database.set(Answer::One, IDLE);
            check.run().await.unwrap();
            database.set(Answer::Refusal, LEASED);
            for _ in 0..3 {
                check.run().await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        let fields = ["level", "event", "check", "reason", "error"].map(|name| line[name].as_str().unwrap());
        assert_eq!(
            fields,
            ["warn", "health check is degraded", "redis", "pool saturated", "password=hunter2 at 10.0.0.7"]
        );
    }
}

#[tokio::test]
async fn names_and_deadlines_are_those_of_every_check() {
    let check = |name: &'static str| check_database(name, async || Ok::<_, CheckError>(()));
    let refused = Monitor::builder().check(check("My Redis")).build().unwrap_err();
    assert!(matches!(refused, BuildError::CheckName { name } if name == "My Redis"));
    let refused = Monitor::builder().check(check("redis")).check(check("redis")).build().unwrap_err();
    assert!(matches!(refused, BuildError::DuplicateCheck { name } if name == "redis"));
    let refused = Monitor::builder().check(check("redis").timeout(Duration::ZERO)).build().unwrap_err();
    assert!(matches!(refused, BuildError::ZeroTimeout { check } if check == "redis"));
}

fn gauges(pool: &str) -> [Option<f64>; 3] {
    ["active", "idle", "max"].map(|kind| sample(&format!("db_connections_{kind}{{pool=\"{pool}\"}}")))
}

#[tokio::test]
async fn pool_is_read_by_its_function_at_each_scrape() {
    let database = Database::new();
    let monitor = Monitor::builder().pool_with("of-a-function", database.state()).build().unwrap();
    assert_eq!(gauges("of-a-function"), [Some(1.0), Some(1.0), Some(2.0)]);
    database.set(Answer::One, LEASED);
    assert_eq!(gauges("of-a-function"), [Some(2.0), Some(0.0), Some(2.0)]);
    drop(monitor);
    assert_eq!(gauges("of-a-function"), [None; 3]);
}

#[tokio::test]
async fn pool_whose_function_panics_costs_no_other_metric() {
    let panics = || -> PoolState { panic!("no such pool") };
    let monitor = Monitor::builder().pool_with("panics", panics).pool_with("beside", || IDLE);
    let _monitor = monitor.build().unwrap();
    let mut text = String::new();
    let lines = capture_logs_async(async { text = metrics::render() }).await;
    assert!(text.contains("db_connections_max{pool=\"beside\"} 2\n"), "{text}");
    assert!(text.contains("build_info"), "{text}");
    assert!(!text.contains("pool=\"panics\""), "{text}");
    let line = lines.iter().find(|line| line["pool"] == "panics").unwrap();
    assert_eq!(line["panic"], "no such pool");
    assert_eq!(line["event"], "a pool could not be read; its gauges are left out");
}

#[tokio::test]
async fn pools_of_both_kinds_share_their_names() {
    let sqlx = SqlitePool::connect_lazy("sqlite::memory:").unwrap();
    let refused = Monitor::builder().pool("main", &sqlx).pool_with("main", || IDLE).build().unwrap_err();
    assert!(matches!(refused, BuildError::DuplicatePool { name } if name == "main"));
    let refused = Monitor::builder().pool_with("", || IDLE).build().unwrap_err();
    assert!(matches!(refused, BuildError::EmptyPoolName));
}
