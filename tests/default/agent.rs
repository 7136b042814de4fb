//! `#[track_agent]`: what a call adds to the metrics, by id.

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

/// The change of one agent's total under one status.
fn ended(recording: &Recording, agent: &str, status: &str) -> f64 {
    recording.value("agent_executions_total", &[("agent_id", agent), ("status", status)])
}

#[track_agent]
fn named_by_itself(succeeds: bool) -> Result<(), String> {
    if succeeds { Ok(()) } else { Err("asked to fail".to_owned()) }
}

#[test]
fn an_agent_without_arguments_is_called_by_the_functions_name() {
    let recording = Recording::start();
    named_by_itself(true).unwrap();
    named_by_itself(true).unwrap();
    named_by_itself(false).unwrap_err();
    assert_eq!(ended(&recording, "named_by_itself", "success"), 2.0);
    assert_eq!(ended(&recording, "named_by_itself", "error"), 1.0);
}

#[test]
fn a_total_is_its_histograms_count() {
    let recording = Recording::start();
    named_by_itself(true).unwrap();
    let labels = [("agent_id", "named_by_itself"), ("status", "success")];
    assert_eq!(recording.value("agent_execution_duration_seconds_count", &labels), 1.0);
    assert!(recording.value("agent_execution_duration_seconds_sum", &labels) > 0.0);
    let all = [labels[0], labels[1], ("le", "+Inf")];
    assert_eq!(recording.value("agent_execution_duration_seconds_bucket", &all), 1.0);
}

#[track_agent("counted_planner")]
async fn plan(goal: &str) -> Result<String, std::num::ParseIntError> {
    let steps: usize = goal.parse()?;
    tokio::task::yield_now().await;
    Ok("step".repeat(steps))
}

#[tokio::test]
async fn an_async_agent_is_counted_under_its_literal_id() {
    let recording = Recording::start();
    assert_eq!(plan("2").await.unwrap(), "stepstep");
    plan("two").await.unwrap_err();
    assert_eq!(ended(&recording, "counted_planner", "success"), 1.0);
    assert_eq!(ended(&recording, "counted_planner", "error"), 1.0);
}

struct Agent {
    name: String,
    asked: std::cell::Cell<u32>,
}

impl Agent {
    fn name(&self) -> &str {
        self.asked.set(self.asked.get() + 1);
        &self.name
    }

    #[track_agent(id = self.name())]
    fn run(&mut self, mut rounds: u32) -> u32 {
        rounds += 1;
        rounds
    }
}

#[test]
fn a_dynamic_id_is_evaluated_once_a_call() {
    let recording = Recording::start();
    for name in ["dynamic_a", "dynamic_b", "dynamic_a"] {
        let mut agent = Agent { name: name.to_owned(), asked: std::cell::Cell::new(0) };
        assert_eq!(agent.run(1), 2);
        assert_eq!(agent.asked.get(), 1);
    }
    assert_eq!(ended(&recording, "dynamic_a", "success"), 2.0);
    assert_eq!(ended(&recording, "dynamic_b", "success"), 1.0);
}

#[test]
fn all_four_totals_of_an_id_appear_with_its_first_call() {
    #[track_agent("seen_for_the_first_time")]
    fn first() {}

    first();
    let scrape = monitor_runtime::metrics::render();
    for status in ["cancelled", "error", "panic"] {
        let line =
            format!("agent_executions_total{{agent_id=\"seen_for_the_first_time\",status=\"{status}\"}} 0\n");
        assert!(scrape.contains(&line), "{line} is missing");
    }
    assert!(!scrape.contains(
        "agent_execution_duration_seconds_count{agent_id=\"seen_for_the_first_time\",status=\"error\""
    ));
}

#[track_agent("outer")]
async fn outer(gauge: &Recording) -> f64 {
    inner(gauge).await
}

#[track_agent("inner")]
async fn inner(gauge: &Recording) -> f64 {
    tokio::task::yield_now().await;
    gauge.value("active_agents", &[("agent_id", "inner")])
        + gauge.value("active_agents", &[("agent_id", "outer")])
}

#[tokio::test]
async fn agents_that_run_inside_each_other_are_both_in_flight() {
    let recording = Recording::start();
    assert_eq!(outer(&recording).await, 2.0);
    assert_eq!(recording.value("active_agents", &[("agent_id", "outer")]), 0.0);
    assert_eq!(recording.value("active_agents", &[("agent_id", "inner")]), 0.0);
}
