use monitor_runtime::track_agent;

#[track_agent("planner", id = "other")]
fn plan() {}

fn main() {
    plan();
}
