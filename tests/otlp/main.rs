//! Traces and metrics pushed by OTLP: what arrives, and what becomes of the process when nothing does.

#[path = "../support/mod.rs"]
mod support;

mod collector;
mod conventions;
mod exits;
mod metrics;
mod traces;
mod troubles;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tests of this file take turns, since what they count is the process's.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
