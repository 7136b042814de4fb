use monitor_runtime::track_agent;

#[track_agent(budget(tokens = 200_000u64))]
fn plan() {}

fn main() {
    plan();
}
