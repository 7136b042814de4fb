use monitor_runtime::track_agent;

#[track_agent(error_if = true)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    plan(1);
}
