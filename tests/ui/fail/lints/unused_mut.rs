#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan(mut goal: String) -> usize {
    goal.len()
}

#[track_agent]
async fn plan_later(mut goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan(String::new());
    let _ = plan_later("");
}
