#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
async fn plan(mut goal: &str) -> usize {
    goal.len()
}

fn main() {
    let _ = plan("");
}
