use monitor_runtime::track_agent;

#[track_agent("planner", "other")]
fn plan() {}

fn main() {
    plan();
}
