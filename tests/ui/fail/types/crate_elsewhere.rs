use monitor_runtime::track_agent;

mod other {}

#[track_agent(crate = other)]
fn plan() -> usize {
    1
}

fn main() {
    plan();
}
