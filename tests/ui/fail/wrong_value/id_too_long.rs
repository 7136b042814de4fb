use monitor_runtime::track_agent;

#[track_agent("planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-planner-x")]
fn plan() {}

fn main() {
    plan();
}
