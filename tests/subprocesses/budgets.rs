//! Budgets without a recorder of runs: they are counted all the same, and nothing else is.

use monitor_runtime::genai;
use monitor_runtime::run::{self, BudgetExceeded};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, track_agent, track_skill};

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
