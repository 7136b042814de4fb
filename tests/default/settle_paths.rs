//! Every way a call can go, step by step: polled on this thread or on another, pending, done, failed, panicked or dropped.
//!
//! All of them up to a length are walked through, so that none is left to chance.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

/// The most polls before a call ends.
const LONGEST: usize = 4;

/// How a call ends behind its last poll that was pending.
#[derive(Clone, Copy, Debug)]
enum End {
    Succeeds,
    Fails,
    Panics,
    /// Dropped without another poll.
    Dropped,
}

const ENDS: [End; 4] = [End::Succeeds, End::Fails, End::Panics, End::Dropped];

impl End {
    /// The status that a call is counted under; none if it has never begun.
    fn status(self, polls: usize) -> Option<&'static str> {
        match self {
            Self::Succeeds => Some("success"),
            Self::Fails => Some("error"),
            Self::Panics => Some("panic"),
            Self::Dropped => (polls > 0).then_some("cancelled"),
        }
    }
}

/// Which threads the polls and the end are on: a bit each, set for another thread.
type Threads = usize;

#[track_agent(id = id, log_errors = false)]
async fn step_by_step(id: &str, script: Arc<Mutex<(usize, End)>>) -> io::Result<()> {
    let _ = id;
    poll_fn(|_| {
        let mut script = script.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if script.0 > 0 {
            script.0 -= 1;
            return Poll::Pending;
        }
        match script.1 {
            End::Succeeds => Poll::Ready(Ok(())),
            End::Fails => Poll::Ready(Err(io::ErrorKind::Other.into())),
            End::Panics => panic!("as told"),
            End::Dropped => unreachable!("dropped before this poll"),
        }
    })
    .await
}

type Call = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Runs a step of a call on this thread or on another, and gives the call back.
fn on(elsewhere: bool, call: Call, step: impl FnOnce(Call) -> Option<Call> + Send) -> Option<Call> {
    if elsewhere { thread::scope(|scope| scope.spawn(|| step(call)).join().unwrap()) } else { step(call) }
}

/// Polls once; what has ended, however, is dropped.
fn poll(mut call: Call) -> Option<Call> {
    let polled =
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut Context::from_waker(Waker::noop()))));
    matches!(polled, Ok(Poll::Pending)).then_some(call)
}

fn walk(id: &'static str, pending: usize, end: End, threads: Threads) {
    let script = Arc::new(Mutex::new((pending, end)));
    let mut call: Call = Box::pin(step_by_step(id, script));
    for step in 0..pending {
        call = on(threads >> step & 1 == 1, call, poll).expect("pending");
    }
    let last = threads >> pending & 1 == 1;
    let left = on(last, call, |call| if matches!(end, End::Dropped) { None } else { poll(call) });
    assert!(left.is_none(), "it goes on");
}

#[test]
fn a_call_is_counted_once_by_its_outcome_on_every_path() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some("as told") {
            shown(panic);
        }
    }));
    for (pending, end) in (0..=LONGEST).flat_map(|pending| ENDS.map(|end| (pending, end))) {
        let id: &'static str = format!("{pending}-{end:?}").leak();
        let ways = 1 << (pending + 1);
        let recording = Recording::start();
        for threads in 0..ways {
            walk(id, pending, end, threads);
        }
        for status in ["success", "error", "panic", "cancelled"] {
            let expected = if end.status(pending) == Some(status) { ways } else { 0 };
            let counted = recording.value("agent_executions_total", &[("agent_id", id), ("status", status)]);
            assert_eq!(counted, expected as f64, "{id}, {status}");
        }
        assert_eq!(recording.value("active_agents", &[("agent_id", id)]), 0.0, "{id} is still active");
    }
}
