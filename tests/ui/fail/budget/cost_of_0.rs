use monitor_runtime::track_agent;

#[track_agent(budget(cost = "0.00"))]
fn plan() {}

fn main() {
    plan();
}
