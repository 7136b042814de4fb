use monitor_runtime::track_agent;

#[track_agent(budget(tokens))]
fn plan() {}

fn main() {
    plan();
}
