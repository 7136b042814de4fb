#![deny(unused_must_use)]

use monitor_runtime::track_agent;

#[track_agent]
async fn plan() {
    std::fs::read("plan");
}

fn main() {
    let _ = plan();
}
