use monitor_runtime::track_agent;

#[track_agent(budget(tokens = 0, duration = "soon"))]
fn plan() {}

fn main() {
    plan();
}
