//! The same function called by two threads at once.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::Contender;

const THREADS: usize = 2;

/// A contender whose time is what one of two threads takes for its own calls, while the other does as many.
pub(super) fn on_two_threads<'c, R>(
    name: &'static str,
    call: impl Fn(u64) -> R + Sync + 'c,
) -> Contender<'c> {
    Contender::timed(name, move |times| {
        let ready = AtomicUsize::new(0);
        let run = || {
            for number in 0..times / 8 {
                black_box(call(number));
            }
            meet(&ready);
            let start = Instant::now();
            for number in 0..times {
                black_box(call(number));
            }
            start.elapsed()
        };
        let both = thread::scope(|scope| {
            let other = scope.spawn(run);
            [run(), other.join().unwrap_or(Duration::MAX)]
        });
        (both[0] + both[1]) / 2
    })
}

/// Waits for the other thread without giving up the processor, so that both start within nanoseconds.
fn meet(ready: &AtomicUsize) {
    ready.fetch_add(1, Ordering::AcqRel);
    while ready.load(Ordering::Acquire) < THREADS {
        spin_loop();
    }
}
