use monitor_runtime::track_agent;

#[track_agent(objective(sucess = 99.5))]
fn plan() {}

fn main() {
    plan();
}
