use monitor_runtime::track_agent;

fn half(number: &u32) -> u32 {
    number / 2
}

#[track_agent(ok_if = half)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    half(&1);
    plan(1);
}
