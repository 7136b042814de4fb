use monitor_runtime::track_agent;

#[track_agent(prefix = "users")]
fn plan() {}

struct Planner;

#[track_agent]
impl Planner {
    #[track(prefix = "users")]
    fn plan(&self) {}
}

fn main() {
    plan();
    Planner.plan();
}
