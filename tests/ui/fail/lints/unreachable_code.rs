#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> u8 {
    return 1;
    2
}

#[track_agent]
async fn plan_later() -> u8 {
    loop {}
    1
}

fn main() {
    plan();
    let _ = plan_later();
}
