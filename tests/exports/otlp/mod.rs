//! Traces and metrics pushed by OTLP: what arrives, and what becomes of the process when nothing does.

mod certificates;
mod collector;
mod collector_failures;
mod conventions;
mod deltas;
mod doors;
mod exits;
mod gen_ai_metrics;
mod grpc;
mod histograms;
mod metrics;
mod panics;
mod proxies;
mod secure;
mod traces;

use std::sync::{Mutex, MutexGuard, PoisonError};

use monitor_runtime::otlp::OtlpGuard;

/// Tests of this file take turns, since what they count is the process's.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has everything sent that was recorded before. One flush waits for five seconds, a busy machine may take several.
#[track_caller]
fn flush(otlp: &OtlpGuard) {
    assert!((0..12).any(|_| otlp.flush()), "it does not come to an end");
}
