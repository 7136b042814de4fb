//! Repeats a path for a tool that counts its instructions.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs the path a hundred times to warm up, and then the counted number of times.
pub fn repeat(times: u32, mut path: impl FnMut()) {
    (0..100).for_each(|_| path());
    measured_path(times, path);
}

/// Start and end of the counting: callgrind finds it by its name.
#[inline(never)]
fn measured_path(times: u32, mut path: impl FnMut()) {
    for _ in 0..times {
        path();
    }
}

/// Runs a future that never waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}
