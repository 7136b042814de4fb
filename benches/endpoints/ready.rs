//! Waiting for a service to be ready.

use std::time::Duration;

use monitor_runtime::Monitor;

/// Ends once every check has passed for the first time.
pub(crate) async fn is_ready(monitor: &Monitor) {
    while monitor.ready().await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
