use monitor_runtime::track_agent;

#[track_agent]
const fn plan() -> usize {
    1
}

fn main() {
    const PLANNED: usize = plan();
    let _ = PLANNED;
}
