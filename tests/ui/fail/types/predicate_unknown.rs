use monitor_runtime::track_agent;

#[track_agent(error_if = is_odd)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    plan(1);
}
