use monitor_runtime::track_agent;

struct Planner;

#[track_agent]
impl Planner {
    #[track("plan")]
    const fn plan(&self) -> usize {
        1
    }
}

fn main() {
    Planner.plan();
}
