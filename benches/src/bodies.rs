//! The same work: plain, tracked by us, and with the minimum that any tracking needs.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;

use monitor_runtime::track_agent;

/// The work of every contender's function.
#[inline]
pub fn work(number: u64) -> u64 {
    black_box(number).wrapping_mul(3)
}

/// The function that nobody tracks.
#[inline(never)]
pub fn plain(number: u64) -> u64 {
    work(number)
}

/// Tracked, with a literal id.
#[inline(never)]
#[track_agent("planner")]
pub fn tracked(number: u64) -> u64 {
    work(number)
}

thread_local! {
    static STARTED: Cell<u64> = const { Cell::new(0) };
    static BUCKET: Cell<u64> = const { Cell::new(0) };
    static SUM: Cell<u64> = const { Cell::new(0) };
}

/// The clock of [`limit`].
pub fn clock() -> quanta::Clock {
    quanta::Clock::new()
}

/// Two time-stamp reads and three thread-local stores: data that can be scraped cannot cost less.
#[inline(never)]
pub fn limit(clock: &quanta::Clock, number: u64) -> u64 {
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

/// An asynchronous function that nobody tracks.
#[inline(never)]
pub fn plain_async(number: u64) -> u64 {
    finish(async move { std::future::ready(work(number)).await })
}

/// A tracked asynchronous function.
#[inline(never)]
pub fn tracked_async(number: u64) -> u64 {
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

/// A function with an id that nobody tracks.
#[inline(never)]
pub fn plain_id(id: &str, number: u64) -> u64 {
    black_box(id);
    work(number)
}

/// Tracked, with an id from an expression.
#[inline(never)]
#[track_agent(id = id)]
pub fn tracked_id(id: &str, number: u64) -> u64 {
    black_box(id);
    work(number)
}
