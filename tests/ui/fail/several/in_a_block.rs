use monitor_runtime::track_agent;

struct Planner;

#[track_agent("planner", levle = "debug")]
impl Planner {
    #[track("")]
    const fn plan(&self) -> usize {
        1
    }

    #[track]
    async fn plan_later(&self) -> usize {
        1
    }
}

fn main() {
    Planner.plan();
    let _ = Planner.plan_later();
}
