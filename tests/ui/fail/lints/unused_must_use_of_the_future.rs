#![deny(warnings)]

use monitor_runtime::track_agent;

#[track_agent]
async fn plan() -> Result<(), ()> {
    Err(())
}

fn main() {
    plan();
}
