#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
#[must_use]
fn plan() -> u8 {
    1
}

fn main() {
    plan();
}
