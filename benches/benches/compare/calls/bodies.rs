//! The same work: plain, tracked by us, and with the minimum that any tracking needs.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;

use monitor_runtime::track_agent;

/// The work of every contender's function.
#[inline]
pub(crate) fn work(number: u64) -> u64 {
    black_box(number).wrapping_mul(3)
}

#[inline(never)]
pub(crate) fn plain(number: u64) -> u64 {
    work(number)
}

#[inline(never)]
#[track_agent("planner")]
pub(crate) fn tracked(number: u64) -> u64 {
    work(number)
}

thread_local! {
    static STARTED: Cell<u64> = const { Cell::new(0) };
    static BUCKET: Cell<u64> = const { Cell::new(0) };
    static SUM: Cell<u64> = const { Cell::new(0) };
}

/// Two time-stamp reads and three thread-local stores: data that can be scraped cannot cost less.
#[inline(never)]
pub(crate) fn limit(clock: &quanta::Clock, number: u64) -> u64 {
    let start = clock.raw();
    add(&STARTED, 1);
    let result = work(number);
    let ticks = clock.raw().wrapping_sub(start);
    add(&BUCKET, 1);
    add(&SUM, ticks);
    result
}

#[inline]
fn add(cell: &'static LocalKey<Cell<u64>>, by: u64) {
    cell.set(cell.get().wrapping_add(by));
}

#[inline(never)]
pub(crate) fn plain_async(number: u64) -> u64 {
    finish(async move { std::future::ready(work(number)).await })
}

#[inline(never)]
pub(crate) fn tracked_async(number: u64) -> u64 {
    // It waits, since the attribute leaves a body that never does in its place, which is cheaper.
    #[track_agent("async_planner")]
    async fn body(number: u64) -> u64 {
        std::future::ready(work(number)).await
    }
    finish(body(number))
}

/// Polls a future that is ready at once.
#[inline]
fn finish(future: impl Future<Output = u64>) -> u64 {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => 0,
    }
}

#[inline(never)]
pub(crate) fn plain_id(id: &str, number: u64) -> u64 {
    black_box(id);
    work(number)
}

#[inline(never)]
#[track_agent(id = id)]
pub(crate) fn tracked_id(id: &str, number: u64) -> u64 {
    black_box(id);
    work(number)
}
