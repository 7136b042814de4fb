//! Every form of function that an attribute accepts, called, with its count read back.

#![deny(warnings)]
#![allow(
    clippy::large_types_passed_by_value,
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::unused_async,
    reason = "the forms are what is tested"
)]

mod arguments;
mod bodies;
mod borrows;
mod collected;
mod ids;
mod kinds;
mod locations;
mod made_by_macros;
mod promises;
mod returns;

use monitor_runtime::testing::Recording;

/// Asserts that the calls of `agent` since the recording began ended as `expected` says, a call each, and none otherwise.
#[track_caller]
fn assert_ended(recording: &Recording, agent: &str, expected: &[&str]) {
    let ended = recording.value("agent_executions_total", &[("agent_id", agent)]);
    assert_eq!(ended, expected.len() as f64, "{agent}");
    for status in expected {
        let ended = recording.value("agent_executions_total", &[("agent_id", agent), ("status", status)]);
        let wanted = expected.iter().filter(|wanted| *wanted == status).count();
        assert_eq!(ended, wanted as f64, "{agent} {status}");
    }
    assert_eq!(recording.value("active_agents", &[("agent_id", agent)]), 0.0, "{agent} in flight");
}

/// Asserts that one call of each agent succeeded, and that there was no other.
#[track_caller]
fn assert_succeeded(recording: &Recording, agents: &[&str]) {
    for agent in agents {
        assert_ended(recording, agent, &["success"]);
    }
}
