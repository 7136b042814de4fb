#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str, (used, unused): (u8, u8)) -> u8 {
    used
}

#[track_agent]
async fn plan_later(goal: &str) {
    let step = 1;
}

fn main() {
    plan("", (1, 1));
    let _ = plan_later("");
}
