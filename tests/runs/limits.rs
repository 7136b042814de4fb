//! Budgets of agents, and calls that repeat.

use std::time::Duration;

use monitor_runtime::genai::{self, ModelReply, Usage};
use monitor_runtime::run::{self, BudgetExceeded, BudgetLimit};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{Outcome, context, track_agent, track_model, track_skill};

use crate::{run_of, runs};

#[track_skill("limits_search")]
fn search() {}

/// A model call that used 10 tokens and a tenth of a dollar.
fn ask() {
    let mut call = genai::call("limits", "limits-gpt");
    call.usage(Usage::new(8, 2).cost_usd(0.1));
    call.finish("stop");
}

#[track_agent("limits_cost", budget(cost = "0.25"))]
fn spend(steps: usize) -> Result<(), BudgetExceeded> {
    spend_all(steps)
}

#[track_agent("limits_tokens", budget(tokens = 25))]
fn spend_tokens(steps: usize) -> Result<(), BudgetExceeded> {
    spend_all(steps)
}

#[track_agent("limits_model_calls", budget(model_calls = 2))]
fn call_models(steps: usize) -> Result<(), BudgetExceeded> {
    spend_all(steps)
}

#[track_agent("limits_skill_calls", budget(skill_calls = 2))]
fn call_skills(steps: usize) -> Result<(), BudgetExceeded> {
    spend_all(steps)
}

#[track_agent("limits_duration", budget(duration = "1ms"))]
fn linger(steps: usize) -> Result<(), BudgetExceeded> {
    if steps > 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    run::check_budget()
}

fn spend_all(steps: usize) -> Result<(), BudgetExceeded> {
    for _ in 0..steps {
        ask();
        search();
    }
    run::check_budget()
}

/// An agent with one limit.
struct Case {
    agent: &'static str,
    limit: &'static str,
    run: fn(usize) -> Result<(), BudgetExceeded>,
    /// What it used after three steps, and may use.
    amounts: Option<(u64, u64)>,
}

const CASES: [Case; 5] = [
    Case { agent: "limits_cost", limit: "cost", run: spend, amounts: Some((300_000_000, 250_000_000)) },
    Case { agent: "limits_tokens", limit: "tokens", run: spend_tokens, amounts: Some((30, 25)) },
    Case { agent: "limits_model_calls", limit: "model_calls", run: call_models, amounts: Some((3, 2)) },
    Case { agent: "limits_skill_calls", limit: "skill_calls", run: call_skills, amounts: Some((3, 2)) },
    Case { agent: "limits_duration", limit: "duration", run: linger, amounts: None },
];

#[test]
fn passing_a_limit_stops_and_is_logged_counted_and_shown_once() {
    let recording = Recording::with_runs();
    for Case { agent, limit, run, amounts } in CASES {
        let mut error = None;
        let lines = capture_logs(|| error = run(3).err());
        let error = error.unwrap();
        assert_eq!((error.agent, error.limit.as_str()), (agent, limit));
        if let Some(amounts) = amounts {
            assert_eq!((error.used, error.allowed), amounts, "{agent}");
        }
        assert!(error.used > error.allowed, "{error}");
        let warnings: Vec<_> = lines.iter().filter(|line| line["level"] == "warn").collect();
        let [warning] = &warnings[..] else { panic!("{agent}: {lines:?}") };
        assert_eq!(warning["event"], "an agent has passed a limit of its budget");
        assert_eq!((&warning["agent"], &warning["limit"]), (&agent.into(), &limit.into()));
        assert!(warning["used"].as_f64() > warning["allowed"].as_f64(), "{warning:?}");
        let labels = [("agent_id", agent), ("limit", limit)];
        assert_eq!(recording.value("agent_budget_exceeded_total", &labels), 1.0);
        let tree = recording.runs().into_iter().find(|run| run.agent() == agent).unwrap();
        let first = tree.to_string().lines().next().unwrap().to_owned();
        // Behind the badge come the sums of the run's model calls.
        let badges = first.split(" · ").next().unwrap();
        assert!(badges.ends_with(&format!("over budget ({limit})")), "{first}");
        let passed: Vec<_> = tree.root().passed_limits().map(BudgetLimit::as_str).collect();
        assert_eq!(passed, [limit]);
    }
}

#[test]
fn a_budget_that_is_not_used_up_is_silent() {
    let recording = Recording::with_runs();
    for Case { agent, run, limit, .. } in &CASES[..4] {
        let lines = capture_logs(|| run(1).unwrap());
        assert!(lines.is_empty(), "{agent}: {lines:?}");
        let labels = [("agent_id", *agent), ("limit", *limit)];
        assert_eq!(recording.value("agent_budget_exceeded_total", &labels), 0.0);
    }
}

#[track_agent("limits_stops", budget(model_calls = 3))]
fn stop() -> Result<(), BudgetExceeded> {
    loop {
        run::check_budget()?;
        ask();
    }
}

#[test]
fn an_agent_that_checks_before_each_step_passes_no_limit() {
    let recording = Recording::with_runs();
    let error = stop().unwrap_err();
    assert_eq!(error.to_string(), "the budget of the agent `limits_stops` is used up: 3 of 3 model calls");
    let labels = [("agent_id", "limits_stops"), ("limit", "model_calls")];
    assert_eq!(recording.value("agent_budget_exceeded_total", &labels), 0.0);
    let run = run_of("limits_stops");
    assert_eq!((run.nodes().len(), run.outcome()), (4, Some(Outcome::Error)));
}

struct Unpriced;

impl ModelReply for Unpriced {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(8, 2))
    }
}

#[track_model("limits-unpriced", provider = "limits")]
fn ask_unpriced() -> Unpriced {
    Unpriced
}

#[track_model("limits-mute", provider = "limits")]
fn ask_mute() {}

#[track_agent("limits_unpriced", budget(cost = "1", tokens = 1_000))]
fn spend_unpriced() {
    for _ in 0..2 {
        ask_unpriced();
    }
    run::check_budget().unwrap();
}

#[track_agent("limits_mute", budget(cost = "1", tokens = 1_000, model_calls = 9))]
fn spend_mute() {
    for _ in 0..2 {
        ask_mute();
    }
}

#[test]
fn a_budget_with_an_unknown_use_is_unverifiable_and_warned_of_once() {
    runs();
    let unverifiable = "the budget of an agent cannot be verified, since the usage or the price of a model call is not known";
    for (run, agent, limits) in [
        (spend_unpriced as fn(), "limits_unpriced", &["cost"][..]),
        (spend_mute as fn(), "limits_mute", &["cost", "tokens"][..]),
    ] {
        let lines = capture_logs(run);
        let mut warned: Vec<_> = lines
            .iter()
            .filter(|line| line["event"] == unverifiable && line["agent"] == agent)
            .map(|line| line["limit"].as_str().unwrap())
            .collect();
        warned.sort_unstable();
        assert_eq!(warned, limits, "{lines:?}");
        let run = run_of(agent);
        let badge = format!("{agent} ✓ budget unverifiable ({})", limits.join(", "));
        assert_eq!(run.to_string().split(" · ").next(), Some(&*badge));
        let unverifiable: Vec<_> = run.unverifiable_limits().map(BudgetLimit::as_str).collect();
        assert_eq!((unverifiable, run.passed_limits().count()), (limits.to_vec(), 0));
    }
}

#[track_agent("limits_helper", budget(skill_calls = 2))]
async fn help(calls: usize) {
    for _ in 0..calls {
        search();
        tokio::task::yield_now().await;
    }
}

#[track_agent("limits_outer", budget(skill_calls = 5))]
async fn delegate() {
    // The helpers run at the same time, one on a task of its own.
    let spawned = context::spawn(help(3));
    help(2).await;
    spawned.await.unwrap();
    search();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_agent_counts_its_own_calls_and_the_agent_around_it_all_of_them() {
    let recording = Recording::with_runs();
    delegate().await;
    let passed = |agent| {
        recording.value("agent_budget_exceeded_total", &[("agent_id", agent), ("limit", "skill_calls")])
    };
    assert_eq!((passed("limits_helper"), passed("limits_outer")), (1.0, 1.0));
    let run = run_of("limits_outer");
    let over: Vec<_> = run.nodes().iter().filter(|node| node.passed_limits().next().is_some()).collect();
    assert_eq!(over.iter().map(|node| node.name()).collect::<Vec<_>>(), ["limits_outer", "limits_helper"]);
}

/// A model call that is dropped after it has reported 10 tokens and a tenth of a dollar.
fn drop_call() {
    genai::call("limits", "limits-gpt").usage(Usage::new(8, 2).cost_usd(0.1));
}

#[track_agent("limits_asks", budget(tokens = 15))]
async fn ask_twice() {
    ask();
    tokio::task::yield_now().await;
    drop_call();
}

#[track_agent("limits_spends", budget(cost = "0.45", tokens = 50))]
async fn delegate_spending() -> Result<(), BudgetExceeded> {
    let spawned = context::spawn(ask_twice());
    ask_twice().await;
    spawned.await.unwrap();
    run::check_budget()?;
    ask();
    run::check_budget()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_cost_of_sub_agents_and_of_dropped_calls_count_for_the_budgets_around_them() {
    let recording = Recording::with_runs();
    let error = delegate_spending().await.unwrap_err();
    assert_eq!((error.agent, error.limit, error.used), ("limits_spends", BudgetLimit::Cost, 500_000_000));
    let passed = |agent, limit| {
        recording.value("agent_budget_exceeded_total", &[("agent_id", agent), ("limit", limit)])
    };
    assert_eq!((passed("limits_spends", "cost"), passed("limits_spends", "tokens")), (1.0, 0.0));
    assert_eq!(passed("limits_asks", "tokens"), 2.0);
    let run = run_of("limits_spends");
    assert_eq!((run.usage().tokens(), run.cost().nanos()), (Some(50), Some(500_000_000)));
    let limits: Vec<_> = run.passed_limits().collect();
    assert_eq!(limits, [BudgetLimit::Cost, BudgetLimit::Tokens]);
}

struct Desk {
    questions: usize,
}

#[track_agent(budget(skill_calls = 1))]
impl Desk {
    fn ask(&self) -> bool {
        (0..self.questions).for_each(|_| search());
        run::check_budget().is_err()
    }

    #[track(budget(skill_calls = 2))]
    fn ask_more(&self) -> bool {
        (0..self.questions).for_each(|_| search());
        run::check_budget().is_err()
    }
}

#[test]
fn the_methods_of_a_block_have_its_budget_unless_they_set_their_own() {
    runs();
    let desk = Desk { questions: 1 };
    assert!(desk.ask());
    assert!(!desk.ask_more());
}

#[track_skill("limits_fetch", repeats(page, words.len()))]
fn fetch(page: u32, words: &str, fails: bool) -> Result<usize, String> {
    if fails { Err("busy".to_owned()) } else { Ok(words.len() + page as usize) }
}

#[track_agent("limits_loops")]
fn go_round() {
    for page in [1, 1, 1, 2, 1] {
        let _ = fetch(page, "tea", false);
    }
}

#[test]
fn the_third_identical_call_is_a_loop_and_warned_of_once_a_run() {
    let recording = Recording::with_runs();
    let lines = capture_logs(go_round);
    let warnings: Vec<_> = lines.iter().filter(|line| line["level"] == "warn").collect();
    let [warning] = &warnings[..] else { panic!("{lines:?}") };
    assert_eq!((&warning["name"], &warning["calls"]), (&"limits_fetch".into(), &3.into()));
    let tree = "\
limits_loops ✓
├─ skill limits_fetch ✓
├─ skill limits_fetch ✓
├─ skill limits_fetch ✓ ×3 identical
├─ skill limits_fetch ✓
└─ skill limits_fetch ✓ ×4 identical";
    let run = run_of("limits_loops");
    assert_eq!(run.to_string(), tree);
    assert_eq!(run.nodes()[2].identical_calls(), 2);
    assert_eq!(recording.value("skill_repeats_total", &[("skill_id", "limits_fetch")]), 2.0);
}

#[track_agent("limits_tries")]
fn try_again() {
    for fails in [true, true, true, false] {
        let _ = fetch(9, "tea", fails);
    }
}

#[test]
fn a_repeat_after_an_error_is_an_attempt_and_no_loop() {
    let recording = Recording::with_runs();
    let lines = capture_logs(try_again);
    assert!(lines.iter().all(|line| line["level"] != "warn"), "{lines:?}");
    let tree = "\
limits_tries ✓
├─ skill limits_fetch ✗ busy
├─ skill limits_fetch ✗ busy attempt 2
├─ skill limits_fetch ✗ busy attempt 3
└─ skill limits_fetch ✓ attempt 4";
    assert_eq!(run_of("limits_tries").to_string(), tree);
    assert_eq!(recording.value("skill_repeats_total", &[("skill_id", "limits_fetch")]), 0.0);
    assert_eq!(recording.value("skill_retries_total", &[("skill_id", "limits_fetch")]), 3.0);
}

#[track_model("limits-looping", provider = "limits", repeats(prompt))]
async fn complete(prompt: &str) -> usize {
    tokio::task::yield_now().await;
    prompt.len()
}

#[track_agent("limits_model_loops")]
async fn complete_often() {
    for _ in 0..3 {
        complete("tea?").await;
    }
    complete("salt?").await;
}

#[tokio::test]
async fn models_repeat_as_skills_do() {
    runs();
    complete_often().await;
    let tree = "\
limits_model_loops ✓ · 4 model calls, usage unknown
├─ model limits-looping ✓ · usage unknown
├─ model limits-looping ✓ · usage unknown
├─ model limits-looping ✓ ×3 identical · usage unknown
└─ model limits-looping ✓ · usage unknown";
    assert_eq!(run_of("limits_model_loops").to_string(), tree);
}

#[track_agent("limits_counts")]
fn count(models: usize, skills: usize) {
    (0..models).for_each(|_| ask());
    (0..skills).for_each(|_| search());
}

#[test]
fn the_calls_inside_each_run_are_in_a_histogram() {
    let recording = Recording::with_runs();
    for (models, skills) in [(0, 3), (1, 3), (5, 3)] {
        count(models, skills);
    }
    let value = |name: &str, le: &str| {
        let mut labels = vec![("agent_id", "limits_counts")];
        labels.extend((!le.is_empty()).then_some(("le", le)));
        recording.value(name, &labels)
    };
    let models = ["0", "1", "2", "4", "8", "128", "+Inf"].map(|le| value("agent_model_calls_bucket", le));
    assert_eq!(models, [1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0]);
    assert_eq!((value("agent_model_calls_sum", ""), value("agent_model_calls_count", "")), (6.0, 3.0));
    let skills = ["2", "4"].map(|le| value("agent_skill_calls_bucket", le));
    assert_eq!((skills, value("agent_skill_calls_sum", "")), ([0.0, 3.0], 9.0));
}

#[track_agent("limits_hangs", budget(duration = "1ms"))]
async fn hang() {
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_hanging_agent_is_shown_over_its_budget() {
    let runs = runs();
    let task = tokio::spawn(hang());
    loop {
        let hanging = runs.running().into_iter().find(|run| run.agent() == "limits_hangs");
        if hanging.is_some_and(|run| run.to_string() == "limits_hangs … over budget (duration)") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    task.abort();
}
