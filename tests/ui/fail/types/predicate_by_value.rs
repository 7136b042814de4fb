use monitor_runtime::track_agent;

fn is_even(number: u32) -> bool {
    number % 2 == 0
}

#[track_agent(ok_if = is_even)]
fn plan(number: u32) -> u32 {
    number
}

fn main() {
    is_even(1);
    plan(1);
}
