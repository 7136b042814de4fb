#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> u8 {
    return 1;
    2
}

fn main() {
    plan();
}
