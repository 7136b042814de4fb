use monitor_runtime::track_agent;

#[track_agent(budget(model_call = 3))]
fn plan() {}

fn main() {
    plan();
}
