//! Allocations in the steady state of a process that logs by `init`, counted on this thread alone, without the writer thread.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use monitor_runtime::logging::{LogGuard, Logging};
use monitor_runtime::{context, track_agent, track_skill};

use crate::support::subprocess::in_own_process;

const CALLS: u64 = 1_000;

/// The allocations of this number of calls, after a hundred warm-up calls.
fn allocations(mut call: impl FnMut()) -> u64 {
    static GUARD: OnceLock<LogGuard> = OnceLock::new();
    GUARD.get_or_init(|| Logging::builder().writer(io::sink()).init().unwrap());
    (0..100).for_each(|_| call());
    measure(|| (0..CALLS).for_each(|_| call())).count_total
}

#[track_agent("logged::plan", fields(goal))]
fn plan(goal: u64) -> u64 {
    goal + 1
}

#[track_skill("logged::search")]
async fn search(query: u64) -> Result<u64, io::Error> {
    std::future::ready(()).await;
    Ok(plan(query))
}

#[test]
fn a_call_allocates_nothing() {
    in_own_process(|| {
        assert_eq!(allocations(|| assert_eq!(plan(1), 2)), 0);
    });
}

#[test]
fn a_call_inside_an_asynchronous_one_allocates_nothing() {
    in_own_process(|| {
        let search = || match pin!(search(1)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => assert_eq!(found.unwrap(), 2),
            Poll::Pending => panic!("the future waits"),
        };
        assert_eq!(allocations(search), 0);
    });
}

#[test]
fn a_value_bound_anew_in_every_span_allocates_nothing() {
    in_own_process(|| {
        let bind = || {
            let _span = tracing::info_span!("request", request_id = "r-1").entered();
            context::bind("user_id", 17);
        };
        assert_eq!(allocations(bind), 0);
    });
}
