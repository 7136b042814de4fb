use monitor_runtime::track_agent;

#[track_agent("planner" level = "debug")]
fn plan() {}

fn main() {
    plan();
}
