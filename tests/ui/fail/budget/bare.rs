use monitor_runtime::track_agent;

#[track_agent(budget)]
fn plan() {}

fn main() {
    plan();
}
