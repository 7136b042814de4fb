use monitor_runtime::track_agent;

#[track_agent("planner", "again", operation = "select", stream)]
const fn plan() -> usize {
    1
}

fn main() {
    plan();
}
