use std::fmt::Display;

use monitor_runtime::track_agent;

#[track_agent(stream)]
fn plan(goal: &str) -> impl Display {
    goal.len()
}

fn main() {
    println!("{}", plan("ship"));
}
