#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan((used, unused): (u8, u8)) -> u8 {
    used
}

fn main() {
    plan((1, 1));
}
