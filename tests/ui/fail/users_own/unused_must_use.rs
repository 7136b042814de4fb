#![deny(unused_must_use)]

use monitor_runtime::track_agent;

#[track_agent]
fn plan() {
    std::fs::read("plan");
}

fn main() {
    plan();
}
