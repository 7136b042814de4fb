#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str) -> u8 {
    1
}

fn main() {
    plan("");
}
