//! The same function called by two threads at once.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::Contender;

const THREADS: usize = 2;

/// Maximum number of tries of a turn. A turn counts only if the threads ran together for most of it: on a busy machine one of them
/// may wait for a processor while the other runs alone.
const TRIES: usize = 50;

/// A contender timed on one of two threads, while the other thread makes as many calls.
pub(super) fn on_two_threads<'c, R>(
    name: &'static str,
    call: impl Fn(u64) -> R + Sync + 'c,
) -> Contender<'c> {
    Contender::timed(name, move |times| {
        let mut pair = Pair::run(times, &call);
        for _ in 1..TRIES {
            if pair.is_simultaneous() {
                break;
            }
            pair = Pair::run(times, &call);
        }
        pair.mean()
    })
}

/// Start and end of each of the two threads.
struct Pair([(Instant, Instant); 2]);

impl Pair {
    fn run<R>(times: u64, call: impl Fn(u64) -> R + Sync) -> Self {
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
            (start, Instant::now())
        };
        thread::scope(|scope| {
            let other = scope.spawn(run);
            let this = run();
            Self([this, other.join().unwrap_or(this)])
        })
    }

    fn is_simultaneous(&self) -> bool {
        let Self([(start, end), (other_start, other_end)]) = *self;
        let together = end.min(other_end).saturating_duration_since(start.max(other_start));
        together * 5 >= self.mean() * 4
    }

    fn mean(&self) -> Duration {
        self.0.iter().map(|(start, end)| *end - *start).sum::<Duration>() / 2
    }
}

/// Waits for the other thread without giving up the processor, so that both start within nanoseconds.
fn meet(ready: &AtomicUsize) {
    ready.fetch_add(1, Ordering::AcqRel);
    while ready.load(Ordering::Acquire) < THREADS {
        spin_loop();
    }
}
