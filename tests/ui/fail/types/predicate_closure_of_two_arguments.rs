use monitor_runtime::track_agent;

#[track_agent(ok_if = |number, limit| number < limit)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    plan(1);
}
