#![deny(warnings)]

use monitor_runtime::track_agent;

#[deprecated]
fn old() {}

#[track_agent]
fn plan() {
    old();
}

fn main() {
    plan();
}
