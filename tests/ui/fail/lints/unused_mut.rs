#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan(mut goal: String) -> usize {
    goal.len()
}

fn main() {
    plan(String::new());
}
