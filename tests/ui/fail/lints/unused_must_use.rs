#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
#[must_use]
fn plan() -> u8 {
    std::fs::read("plan");
    1
}

#[track_agent]
async fn plan_later() -> Result<(), ()> {
    Err(())
}

fn main() {
    plan();
    plan_later();
}
