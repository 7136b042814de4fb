use monitor_runtime::track_agent;

#[track_agent(budget(duration = 5))]
fn plan() {}

fn main() {
    plan();
}
