use monitor_runtime::track_agent;

#[track_agent(id = , level = "debug")]
fn plan() {}

fn main() {
    plan();
}
