//! `#[track_skill]`: what a call adds to the metrics.

#![allow(clippy::unused_async, reason = "the async form is what is tested")]

use monitor_runtime::testing::Recording;
use monitor_runtime::track_skill;

fn succeeded(recording: &Recording, skill: &str) -> f64 {
    recording.value("skill_executions_total", &[("skill_id", skill), ("status", "success")])
}

#[track_skill]
async fn counted_search(query: &str) -> usize {
    query.len()
}

#[tokio::test]
async fn a_skill_has_metrics_of_its_own() {
    let recording = Recording::start();
    counted_search("rust").await;
    assert_eq!(succeeded(&recording, "counted_search"), 1.0);
    assert_eq!(recording.value("agent_executions_total", &[("agent_id", "counted_search")]), 0.0);
}
