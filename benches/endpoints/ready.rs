//! Waits for a service to be ready.

use std::time::{Duration, Instant};

use monitor_runtime::Monitor;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Returns once every check has passed for the first time.
///
/// # Panics
///
/// Panics if that takes longer than a minute, with the answer of readiness.
pub(crate) async fn is_ready(monitor: &Monitor) {
    let start = Instant::now();
    loop {
        let answer = monitor.ready();
        if answer.status() == 200 {
            return;
        }
        let body = String::from_utf8_lossy(answer.body());
        assert!(start.elapsed() < PATIENCE, "not ready within {PATIENCE:?}: {body}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
