use std::pin::Pin;

use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str) -> Pin<Box<dyn Future<Output = usize> + '_>> {
    Box::pin(async move { goal.len() })
}
