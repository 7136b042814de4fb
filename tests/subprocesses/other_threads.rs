//! Tracked calls on other threads, under the process's own subscriber: what their lines carry, and that an error is logged once.
//!
//! In a process of its own, since `init` is what is tested.

use std::thread;

use monitor_runtime::logging::Logging;
use monitor_runtime::{context, track_agent, track_skill};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde_json::Value;
use tracing::Instrument as _;

use crate::support::log_line::LogLine;
use crate::support::memory::Memory;
use crate::support::subprocess::in_own_process;

#[track_skill("leaf")]
fn leaf() -> Result<(), String> {
    Err("disk gone".to_owned())
}

#[track_skill("later")]
async fn later() -> Result<(), String> {
    tokio::task::yield_now().await;
    leaf()
}

#[track_agent("join_set")]
async fn join_set() -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(context::carry(later()));
    tasks.join_next().await.unwrap().unwrap()
}

#[track_agent("in_current_span")]
async fn in_current_span() -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(later().in_current_span());
    tasks.join_next().await.unwrap().unwrap()
}

#[track_agent("spawn_blocking")]
async fn spawn_blocking() -> Result<(), String> {
    context::spawn_blocking(leaf).await.unwrap()
}

#[track_agent("tokio_blocking")]
async fn tokio_blocking() -> Result<(), String> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(leaf)).await.unwrap()
}

#[track_agent("scope")]
fn scope() -> Result<(), String> {
    let here = context::current();
    thread::scope(|scope| scope.spawn(|| here.in_scope(leaf)).join().unwrap())
}

#[track_agent("rayon")]
fn rayon() -> Result<(), String> {
    let here = context::current();
    (0..8).into_par_iter().try_for_each(|part| here.in_scope(|| if part == 5 { leaf() } else { Ok(()) }))
}

/// The values of these fields in a line, `null` where it has none.
fn values<const N: usize>(line: &LogLine, names: [&str; N]) -> [Value; N] {
    names.map(|name| line.get(name).cloned().unwrap_or_default())
}

#[test]
fn lines_of_other_threads_are_those_of_the_calls_at_work_there() {
    in_own_process(|| {
        let memory = Memory::default();
        let guard = Logging::builder().writer(memory.clone()).init().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(join_set()).unwrap_err();
        runtime.block_on(in_current_span()).unwrap_err();
        runtime.block_on(spawn_blocking()).unwrap_err();
        runtime.block_on(tokio_blocking()).unwrap_err();
        scope().unwrap_err();
        rayon().unwrap_err();
        drop(guard);

        let lines = LogLine::read_all(&memory.text());
        let said = lines.iter().map(|line| values(line, ["event", "skill_id", "agent_id"]));
        let agents = ["join_set", "in_current_span", "spawn_blocking", "tokio_blocking", "scope", "rayon"];
        let expected = agents.map(|agent| ["skill failed", "leaf", agent].map(Value::from));
        assert_eq!(said.collect::<Vec<_>>(), expected);
    });
}
