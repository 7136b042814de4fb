//! Budgets without a recorder of runs: they are counted all the same, and nothing else is.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use monitor_runtime::genai;
use monitor_runtime::run::{self, BudgetExceeded};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, track_agent, track_skill};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::support::subprocess::in_own_process;

#[track_skill("budgets_search")]
fn search() {
    tracing::info!("searching");
}

#[track_agent("budgets_agent", budget(skill_calls = 2, model_calls = 1))]
fn budgeted(calls: usize) -> Result<(), BudgetExceeded> {
    run::tag("nobody", "reads this");
    let here = &context::current();
    std::thread::scope(|scope| {
        (0..calls).for_each(|_| drop(scope.spawn(|| here.in_scope(search))));
    });
    genai::call("budgets", "budgets-gpt").finish("stop");
    helped();
    run::check_budget()
}

#[track_agent("budgets_helper")]
fn helped() {
    search();
}

#[track_agent("budgets_free")]
fn free() {
    search();
    budgeted(3).unwrap_err();
}

#[test]
fn a_budget_is_counted_without_a_recorder() {
    in_own_process(|| {
        let recording = Recording::start();
        let mut result = Ok(());
        let lines = capture_logs(|| result = budgeted(1));
        assert_eq!(result.unwrap_err().to_string().split(": ").nth(1), Some("1 of 1 model calls"));
        assert!(lines.iter().all(|line| line.get("run_id").is_none() && line.get("run.nobody").is_none()));
        let lines = capture_logs(free);
        let warnings = lines.iter().filter(|line| line["level"] == "warn").count();
        assert_eq!(warnings, 1, "{lines:?}");

        let passed = |limit| {
            recording.value("agent_budget_exceeded_total", &[("agent_id", "budgets_agent"), ("limit", limit)])
        };
        assert_eq!((passed("skill_calls"), passed("model_calls")), (1.0, 0.0));
        let counted = |agent| recording.value("agent_skill_calls_count", &[("agent_id", agent)]);
        assert_eq!(
            (counted("budgets_agent"), counted("budgets_free"), counted("budgets_helper")),
            (2.0, 0.0, 0.0)
        );
        assert_eq!(recording.value("agent_skill_calls_sum", &[("agent_id", "budgets_agent")]), 6.0);
        assert!(run::started().is_none() && run::current().is_none());
    });
}

#[track_agent("budgets_runs")]
fn recorded() {
    search();
}

#[test]
fn a_recorder_that_is_started_later_records_all_runs() {
    in_own_process(|| {
        budgeted(1).unwrap_err();
        let runs = run::builder().start().unwrap();
        recorded();
        budgeted(3).unwrap_err();
        let trees: Vec<_> = runs.newest().iter().map(|run| run.nodes().len()).collect();
        assert_eq!(trees, [7, 2]);
        assert_eq!(runs.figures().lost, 0);
    });
}

/// A subscriber that reads the runs whenever something warns.
struct ReadingRuns;

impl<S: tracing::Subscriber> Layer<S> for ReadingRuns {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::WARN {
            let kept = run::started().map_or(0, |runs| runs.newest().len() + runs.figures().kept);
            run::note(kept);
            SEEN.lock().unwrap().push(event.metadata().target().to_owned());
        }
    }
}

/// The targets of the warnings.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[track_skill(id = name, repeats(name))]
fn retry(name: &str) {
    run::retry("busy");
}

#[track_agent(id = name, budget(skill_calls = 1, duration = "1ms"))]
fn retry_all(name: &str) {
    for skill in ["budgets_a", "budgets_b", "budgets_c", "budgets_c", "budgets_c", "budgets_c"] {
        retry(skill);
    }
    std::thread::sleep(Duration::from_millis(2));
    let mut call = genai::call(name, "budgets-gpt");
    run::retry("busy");
    call.retry("busy", Duration::ZERO);
    call.finish("stop");
}

/// Every family is full, so each count of a look warns of the first label set without room.
#[test]
fn a_subscriber_may_read_the_runs_at_any_warning_of_the_recorder() {
    in_own_process(|| {
        monitor_runtime::metrics::builder().series_limit(2).init().unwrap();
        let recording = Recording::start();
        tracing_subscriber::registry().with(ReadingRuns).init();
        let runs = run::builder().start().unwrap();
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            ["budgets_1", "budgets_2", "budgets_3", "budgets_4"].into_iter().for_each(retry_all);
            done.send(runs.newest().len()).unwrap();
        });
        let kept =
            is_done.recv_timeout(Duration::from_secs(30)).expect("a warning waits for a lock of its own");
        assert_eq!(kept, 4);
        let seen = SEEN.lock().unwrap();
        for target in ["monitor_runtime::metrics", "monitor_runtime::run"] {
            assert!(seen.iter().any(|seen| seen == target), "{seen:?}");
        }
        for metric in [
            "skill_retries_total",
            "skill_repeats_total",
            "model_retries_total",
            "agent_model_calls",
            "agent_budget_exceeded_total",
        ] {
            let overflows = recording.value("monitor_series_overflow_total", &[("metric", metric)]);
            assert!(overflows > 0.0, "{metric}");
        }
    });
}
