//! Agents that have ended with every outcome.

use std::hint::black_box;
use std::ops::Range;
use std::panic::{catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use monitor_runtime::track_agent;

/// The sample lines of an agent: for four outcomes a counter and a histogram of 17 buckets, a sum and a count; one gauge.
pub(super) const SERIES: usize = 4 * (1 + 17 + 2) + 1;

pub(super) fn run(numbers: Range<usize>) {
    for number in numbers {
        let id = id(number);
        succeed(&id);
        let _ = fail(&id);
        let _ = catch_unwind(|| unwind(&id));
        // Polled once and dropped.
        let _ = pin!(wait(&id)).poll(&mut Context::from_waker(Waker::noop()));
    }
}

pub(super) fn id(number: usize) -> String {
    format!("agent-{number:04}")
}

#[track_agent(id = id)]
fn succeed(id: &str) {
    black_box(id);
}

#[track_agent(id = id, log_errors = false)]
fn fail(id: &str) -> Result<(), &'static str> {
    black_box(id);
    Err("told to")
}

#[track_agent(id = id)]
fn unwind(id: &str) {
    black_box(id);
    // As a panic does, but without its message on standard error.
    resume_unwind(Box::new(()));
}

#[track_agent(id = id)]
async fn wait(id: &str) {
    black_box(id);
    std::future::pending::<()>().await;
}
