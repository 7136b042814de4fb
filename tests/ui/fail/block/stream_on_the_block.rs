use monitor_runtime::track_agent;

struct Planner;

#[track_agent(stream)]
impl Planner {
    fn plan(&self) -> usize {
        1
    }
}

fn main() {
    Planner.plan();
}
