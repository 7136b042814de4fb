use monitor_runtime::track_agent;

trait Planner {
    #[track_agent]
    fn plan(&self) -> usize;
}

impl Planner for u8 {
    fn plan(&self) -> usize {
        1
    }
}

fn main() {
    1_u8.plan();
}
