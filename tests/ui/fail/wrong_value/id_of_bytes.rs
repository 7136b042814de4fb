use monitor_runtime::track_agent;

#[track_agent(b"planner")]
fn plan() {}

fn main() {
    plan();
}
