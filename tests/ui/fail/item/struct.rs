use monitor_runtime::track_agent;

#[track_agent]
/// Documented.
pub struct Planner;

fn main() {
    let _ = Planner;
}
