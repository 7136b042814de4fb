use monitor_runtime::track_agent;

#[track_agent(budget(euros = 3))]
fn plan() {}

fn main() {
    plan();
}
