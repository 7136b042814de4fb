//! Runs, in a process that records them.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/model_agents.rs"]
mod model_agents;

mod api;
mod calls;
mod ceiling;
mod contents;
mod crowded;
mod ids;
mod instances;
mod limits;
mod lines;
mod models;
mod page;
mod programs;
mod recordings;
mod said;
mod schema;
mod stops;
mod trees;

use std::sync::Arc;

use monitor_runtime::run::{self, Run, Runs};

/// The recorder of this process.
fn runs() -> Runs {
    run::builder().start().unwrap()
}

/// Has the recorder follow the calls of this process.
fn observe_calls() {
    runs();
}

/// The kept runs of an agent, the newest first.
fn runs_of(agent: &str) -> Vec<Arc<Run>> {
    runs().newest().into_iter().filter(|run| run.agent() == agent).collect()
}

/// The one kept run of an agent.
fn run_of(agent: &str) -> Arc<Run> {
    let mut runs = runs_of(agent);
    assert_eq!(runs.len(), 1, "{runs:#?}");
    runs.remove(0)
}
