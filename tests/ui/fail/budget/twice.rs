use monitor_runtime::track_agent;

#[track_agent(budget(tokens = 1, tokens = 2))]
fn plan() {}

fn main() {
    plan();
}
