//! The panic hook: what is logged of a panic, and what is counted.
//!
//! The hook is the process's own, so these tests have a process to themselves and one hook that was there before.

use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use monitor_runtime::logging::{self, LogGuard, Logging};
use monitor_runtime::{context, metrics, track_agent};
use serde_json::Value;

use crate::support::exposition::Exposition;
use crate::support::subprocess::in_own_process;

/// How often the hook that was there before has been called.
static CHAINED: AtomicUsize = AtomicUsize::new(0);

/// The lines logged by the process, since a `tracing` subscriber of one thread receives nothing while it handles an event.
static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Written;

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        written().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written() -> MutexGuard<'static, Vec<u8>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log, once the hook is installed, held by one test at a time.
fn log() -> MutexGuard<'static, LogGuard> {
    static LOG: LazyLock<Mutex<LogGuard>> = LazyLock::new(|| {
        let guard = Logging::builder().writer(Written).init().unwrap();
        assert!(!metrics::render().contains("panics_total"), "nobody counts before the hook is installed");
        panic::set_hook(Box::new(|_| {
            CHAINED.fetch_add(1, Ordering::SeqCst);
        }));
        logging::install_panic_hook();
        logging::install_panic_hook();
        assert!(metrics::render().contains("\npanics_total 0\n"));
        Mutex::new(guard)
    });
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of a panic on a thread of that name.
fn lines_of(name: &str, panics: impl FnOnce() + Send + 'static) -> Vec<Value> {
    let log = log();
    written().clear();
    thread::Builder::new().name(name.to_owned()).spawn(panics).unwrap().join().expect_err("panics");
    assert!(log.flush());
    let lines = String::from_utf8(written().clone()).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    // Other tests' lines may be written late.
    lines.filter(|line| line["logger"] == "monitor_runtime::panic" && line["thread"] == name).collect()
}

fn panics_total() -> u64 {
    Exposition::read(&metrics::render()).count("panics_total").unwrap()
}

#[test]
fn a_panic_is_one_line_with_message_place_and_bound_fields() {
    in_own_process(|| {
        #[track_agent("panicking_planner", fields(goal))]
        fn plan(goal: &str) {
            context::bind("user_id", 17);
            panic!("no plan for {goal:?}");
        }
        let at = line!() - 2;
        let lines = lines_of("planning", || plan("a \"quoted\"\ngoal"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = &lines[0];
        assert_eq!((&line["level"], &line["event"]), (&"error".into(), &"panicked".into()));
        assert_eq!(line["error"], r#"no plan for "a \"quoted\"\ngoal""#);
        assert_eq!(line["location"], format!("{}:{at}:13", file!()));
        assert_eq!(line["thread"], "planning");
        assert_eq!((&line["agent_id"], &line["user_id"]), (&"panicking_planner".into(), &17.into()));
        assert_eq!(line["goal"], "a \"quoted\"\ngoal");
    });
}

#[test]
fn a_panic_without_a_text_is_logged_all_the_same() {
    in_own_process(|| {
        let lines = lines_of("odd", || panic::panic_any(17));
        assert_eq!(lines[0]["error"], "a panic without a message");
    });
}

#[test]
fn each_panic_is_counted_once_and_handed_on_to_the_hook_before() {
    in_own_process(|| {
        let _log = log();
        let before = (panics_total(), CHAINED.load(Ordering::SeqCst));
        for _ in 0..3 {
            panic::catch_unwind(|| panic!("on purpose")).expect_err("panics");
        }
        assert_eq!((panics_total(), CHAINED.load(Ordering::SeqCst)), (before.0 + 3, before.1 + 3));
    });
}

#[test]
fn a_panic_in_a_value_that_is_being_logged_is_a_line_of_its_own() {
    in_own_process(|| {
        struct Breaks;
        impl std::fmt::Display for Breaks {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("cannot be shown")
            }
        }
        let lines = lines_of("showing", || tracing::info!(value = %Breaks, "never written"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["error"], "cannot be shown");
    });
}
