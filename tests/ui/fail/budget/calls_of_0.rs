use monitor_runtime::track_agent;

#[track_agent(budget(model_calls = 0))]
fn plan() {}

fn main() {
    plan();
}
