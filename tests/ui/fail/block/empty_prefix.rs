use monitor_runtime::track_agent;

struct Planner;

#[track_agent(prefix = "")]
impl Planner {
    fn plan(&self) {}
}

fn main() {
    Planner.plan();
}
