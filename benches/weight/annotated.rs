//! A library's function, annotated and no more.

use monitor_runtime::track_agent;

#[track_agent("planner")]
fn plan(goal: &str) -> Result<String, String> {
    if goal.is_empty() { Err("no goal".to_owned()) } else { Ok(format!("1. {goal}")) }
}

fn main() {
    let _ = plan("learn Rust");
}
