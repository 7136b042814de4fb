use std::rc::Rc;

use monitor_runtime::track_agent;

async fn wait() {}

fn spawn(_: impl Future + Send) {}

#[track_agent]
async fn plan() -> usize {
    let shared = Rc::new(1);
    wait().await;
    *shared
}

fn main() {
    spawn(plan());
}
