use monitor_runtime::track_agent;

#[track_agent(budget(skill_calls = -1))]
fn plan() {}

fn main() {
    plan();
}
