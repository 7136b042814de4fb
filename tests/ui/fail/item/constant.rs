use monitor_runtime::track_agent;

#[track_agent]
const PLAN: fn() -> usize = || 1;

fn main() {
    PLAN();
}
