use monitor_runtime::track_agent;

#[track_agent(level = "debug", "planner")]
fn plan() {}

fn main() {
    plan();
}
