use monitor_runtime::track_agent;

fn is_less(number: &u32, limit: &u32) -> bool {
    number < limit
}

#[track_agent(ok_if = is_less)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    is_less(&1, &2);
    plan(1);
}
