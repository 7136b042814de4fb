use monitor_runtime::track_agent;

#[track_agent(budget(tokens = 0.5))]
fn plan() {}

fn main() {
    plan();
}
