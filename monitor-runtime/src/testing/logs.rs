//! Captures the log lines of a test, as JSON.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::Value;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::logging::{LineSink, LogLayer};

/// Runs `run` and returns the lines that it logged on this thread, in order, parsed from the JSON that
/// [`logging`](crate::logging) would have written.
///
/// All levels are captured, whatever `LOG_LEVEL` is. Parallel tests do not see each other's lines. Lines of other
/// threads are not captured, unless the context was carried there, e.g. by [`context::spawn`](crate::context::spawn).
/// The result of `run` is dropped; assign it to a variable outside if you need it.
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
/// For asynchronous code use [`capture_logs_async`].
///
/// # Panics
///
/// Panics if `run` panics, or if a line is not valid JSON, which would be a bug of this crate.
pub fn capture_logs<T>(run: impl FnOnce() -> T) -> Vec<Value> {
    parse(&written(LogLayer::json, run))
}

/// Runs `future` to its end and returns the lines that it logged, like [`capture_logs`].
///
/// It works in a `#[tokio::test]` and on any other runtime. Lines of other tasks and threads are captured if the
/// context was carried there (by [`context::spawn`](crate::context::spawn), [`carry`](crate::context::carry) or
/// [`in_scope`](crate::context::in_scope)) and they are written before `future` ends.
///
/// ```
/// use monitor_runtime::testing::capture_logs_async;
/// use monitor_runtime::track_agent;
///
/// #[track_agent("planner")]
/// async fn plan() {
///     tracing::info!(steps = 3, "planned");
/// }
///
/// #[tokio::main(flavor = "current_thread")] // or `#[tokio::test]`
/// async fn main() {
///     let lines = capture_logs_async(plan()).await;
///     assert_eq!(lines[0]["agent_id"], "planner");
///     assert_eq!(lines[0]["steps"], 3);
/// }
/// ```
///
/// # Cancel safety
///
/// If the returned future is dropped before its end, `future` is dropped with it and the lines are lost.
///
/// # Panics
///
/// Panics if `future` panics, or if a line is not valid JSON, which would be a bug of this crate.
pub async fn capture_logs_async<F: Future>(future: F) -> Vec<Value> {
    let (memory, subscriber) = memory_and_subscriber(LogLayer::json);
    future.with_subscriber(subscriber).await;
    parse(&memory.take())
}

fn parse(lines: &[u8]) -> Vec<Value> {
    serde_json::Deserializer::from_slice(lines)
        .into_iter()
        .map(|line| line.unwrap_or_else(|error| panic!("a log line is not JSON: {error}")))
        .collect()
}

/// With a single subscriber, `tracing` asks only the current thread's when it first meets a callsite, and caches the
/// "no" of a thread without one. A second subscriber makes it ask all of them.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// The bytes that the layer made by `layer` writes for `run` on this thread.
pub(crate) fn written<T>(layer: impl FnOnce(Memory) -> LogLayer<Memory>, run: impl FnOnce() -> T) -> Vec<u8> {
    let (memory, subscriber) = memory_and_subscriber(layer);
    tracing::dispatcher::with_default(&subscriber, run);
    memory.take()
}

/// A subscriber with the layer made by `layer`, and the memory that it writes to.
fn memory_and_subscriber(layer: impl FnOnce(Memory) -> LogLayer<Memory>) -> (Memory, Dispatch) {
    LazyLock::force(&SECOND);
    let memory = Memory::default();
    let subscriber = tracing_subscriber::registry().with(layer(memory.clone()));
    (memory, Dispatch::new(subscriber))
}

/// Keeps the lines in memory, without a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LineSink for Memory {
    fn push(&self, line: [&[u8]; 2]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for part in line {
            lines.extend_from_slice(part);
        }
    }
}
