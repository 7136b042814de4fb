#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
async fn plan(goal: &str) -> u8 {
    1
}

fn main() {
    let _ = plan("");
}
