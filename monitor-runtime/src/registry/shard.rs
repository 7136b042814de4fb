//! Cells that many threads add to without sharing cache lines.
//!
//! Each thread is given a stripe at its first use, round robin; a cell is one word in every stripe, and its
//! value is their sum. Threads come and go, stripes stay: what a thread added is never lost.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const WORDS_PER_LINE: usize = 8;

/// A power of two, so that a thread's number becomes its stripe by a mask.
static STRIPES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from).next_power_of_two().min(64));

/// The present thread's place among the stripes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stripe(usize);

impl Stripe {
    /// Takes the thread's number, giving it one at its first call.
    #[inline]
    pub(crate) fn of_this_thread() -> Self {
        thread_local! {
            static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
        }
        Self(
            NUMBER
                .try_with(|number| match number.get() {
                    usize::MAX => number_this_thread(number),
                    given => given,
                })
                .unwrap_or(0),
        )
    }
}

#[cold]
fn number_this_thread(number: &Cell<usize>) -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let given = NEXT.fetch_add(1, Ordering::Relaxed) & (usize::MAX >> 1);
    number.set(given);
    given
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; WORDS_PER_LINE]);

/// A row of `words` counters, striped.
#[derive(Debug)]
pub(crate) struct Cells {
    lines: Box<[Line]>,
    lines_per_stripe: usize,
    mask: usize,
}

impl Cells {
    /// Makes `words` cells at 0.
    pub(crate) fn new(words: usize) -> Self {
        let lines_per_stripe = words.div_ceil(WORDS_PER_LINE);
        let lines = (0..lines_per_stripe * *STRIPES).map(|_| Line::default()).collect();
        Self { lines, lines_per_stripe, mask: *STRIPES - 1 }
    }

    /// Adds to one cell.
    ///
    /// `Release`, so that whoever reads the addition by [`sum`](Self::sum) also reads what was added to
    /// other cells before it: a call's start before its end.
    #[inline]
    pub(crate) fn add(&self, stripe: Stripe, word: usize, amount: u64) {
        let line = (stripe.0 & self.mask) * self.lines_per_stripe + word / WORDS_PER_LINE;
        self.lines[line].0[word % WORDS_PER_LINE].fetch_add(amount, Ordering::Release);
    }

    /// The total of one cell over all stripes.
    pub(crate) fn sum(&self, word: usize) -> u64 {
        self.lines[word / WORDS_PER_LINE..]
            .iter()
            .step_by(self.lines_per_stripe)
            .map(|line| line.0[word % WORDS_PER_LINE].load(Ordering::Acquire))
            .fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_what_exited_threads_added() {
        let cells = Cells::new(20);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for word in 0..20 {
                        cells.add(Stripe::of_this_thread(), word, word as u64);
                    }
                });
            }
        });
        for word in 0..20 {
            assert_eq!(cells.sum(word), 16 * word as u64);
        }
    }
}
