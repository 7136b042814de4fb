//! Log lines of a test, as JSON.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::Value;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::logging::{LogLayer, Sink};

/// Runs `run` and gives the lines that it logged on this thread, in their order, as
/// [`logging`](crate::logging) would have written them; all levels, whatever `LOG_LEVEL` says.
///
/// Tests that run side by side do not see each other's lines. What other threads log is not captured, except for the
/// tasks of [`context::spawn`](crate::context::spawn). What `run` returns is dropped; take it out by a variable if it
/// matters.
///
/// ```
/// use monitor_runtime::testing::capture_logs;
///
/// let lines = capture_logs(|| {
///     let _request = tracing::info_span!("request", request_id = "r-1").entered();
///     tracing::info!(answer = 42, "done");
/// });
/// assert_eq!(lines[0]["event"], "done");
/// assert_eq!(lines[0]["request_id"], "r-1");
/// assert_eq!(lines[0]["answer"], 42);
/// ```
///
/// Asynchronous code runs in `block_on` inside: `capture_logs(|| runtime.block_on(async { … }))`. The runtime of a
/// `#[tokio::test]` cannot be entered a second time, so such a test is a plain `#[test]` that builds its runtime itself.
///
/// # Panics
///
/// If `run` does, or if a line is not valid JSON, which would be a fault of this crate.
pub fn capture_logs<T>(run: impl FnOnce() -> T) -> Vec<Value> {
    let lines = written(LogLayer::json, run);
    serde_json::Deserializer::from_slice(&lines)
        .into_iter()
        .map(|line| line.unwrap_or_else(|error| panic!("a log line is not JSON: {error}")))
        .collect()
}

/// While there is only one subscriber, `tracing` asks the thread that first meets a callsite whether anybody listens, and keeps a "no"
/// of a thread that has none. A second one has it ask all of them.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// What `run` logs on this thread, as the layer that `layer` makes writes it.
pub(crate) fn written<T>(layer: impl FnOnce(Memory) -> LogLayer<Memory>, run: impl FnOnce() -> T) -> Vec<u8> {
    LazyLock::force(&SECOND);
    let memory = Memory::default();
    let subscriber = tracing_subscriber::registry().with(layer(memory.clone()));
    tracing::subscriber::with_default(subscriber, run);
    std::mem::take(&mut memory.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Lines kept where they are, written at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Sink for Memory {
    fn push(&self, line: [&[u8]; 2]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for part in line {
            lines.extend_from_slice(part);
        }
    }
}
