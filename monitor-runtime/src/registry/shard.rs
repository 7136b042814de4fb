//! Cells that many threads add to without sharing cache lines.
//!
//! A cell is one word in every stripe, and its value is their sum. A thread leases a stripe of its own at its first
//! use, for as long as it lives: what has one writer needs no locked instruction. Threads past the number of
//! those stripes take turns on a few shared ones. Threads come and go, stripes stay: what a thread added is never lost.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

const WORDS_PER_LINE: usize = 8;

/// How many stripes there are, fixed at first use.
#[derive(Debug)]
struct Stripes {
    leased: usize,
    shared: usize,
}

static STRIPES: LazyLock<Stripes> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(64);
    // A runtime has a worker a core, and the thread that started it often makes a call or two of its own.
    Stripes { leased: cores + 1, shared: cores.div_ceil(4) }
});

/// One more than the highest stripe that any thread was given: the stripes from there on are at 0.
///
/// Whoever can know of an addition, because it happened before, reads a number that covers it.
static USED: AtomicUsize = AtomicUsize::new(0);

/// The present thread's place among the stripes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stripe {
    index: usize,
    is_leased: bool,
}

thread_local! {
    /// Readable however far the thread's end has come, as nothing has to be dropped.
    static PLACE: Cell<Option<Stripe>> = const { Cell::new(None) };
    static LEASE: Lease = const { Lease(Cell::new(None)) };
}

impl Stripe {
    /// Takes the thread's stripe, giving it one at its first call.
    #[inline]
    pub(crate) fn of_this_thread() -> Self {
        match PLACE.get() {
            Some(stripe) => stripe,
            None => Self::assign(),
        }
    }

    #[cold]
    fn assign() -> Self {
        let leased = LEASE.try_with(Lease::take).unwrap_or(None);
        let stripe = leased.map_or_else(Self::shared, |index| Self { index, is_leased: true });
        USED.fetch_max(stripe.index + 1, Ordering::AcqRel);
        PLACE.set(Some(stripe));
        stripe
    }

    fn shared() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { index: STRIPES.leased + turn % STRIPES.shared, is_leased: false }
    }
}

/// The leased stripes that no thread holds. The lock hands on what the last holder wrote.
static FREE: LazyLock<Mutex<Vec<usize>>> = LazyLock::new(|| Mutex::new((0..STRIPES.leased).rev().collect()));

/// Gives the stripe back as the thread ends.
struct Lease(Cell<Option<usize>>);

impl Lease {
    fn take(&self) -> Option<usize> {
        let index = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        self.0.set(index);
        index
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(index) = self.0.take() {
            // Destructors of other thread-locals may still make calls, and then get a shared stripe.
            PLACE.set(None);
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(index);
        }
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; WORDS_PER_LINE]);

/// A row of counters, striped.
#[derive(Debug)]
pub(crate) struct Cells {
    lines: Box<[Line]>,
    lines_per_stripe: usize,
    /// From one stripe to the next; 0 where there is one stripe for all threads.
    step: usize,
}

impl Cells {
    /// Makes `words` cells at 0.
    pub(crate) fn new(words: usize) -> Self {
        let lines_per_stripe = words.div_ceil(WORDS_PER_LINE);
        let stripes = STRIPES.leased + STRIPES.shared;
        Self { lines: lines(lines_per_stripe * stripes), lines_per_stripe, step: lines_per_stripe }
    }

    /// Makes `words` cells at 0 in one stripe that all threads share, for what happens seldom.
    pub(crate) fn unstriped(words: usize) -> Self {
        let lines_per_stripe = words.div_ceil(WORDS_PER_LINE);
        Self { lines: lines(lines_per_stripe), lines_per_stripe, step: 0 }
    }

    /// The cells that a thread adds to.
    #[inline]
    pub(crate) fn of(&self, stripe: Stripe) -> Row<'_> {
        let start = stripe.index * self.step;
        let is_leased = stripe.is_leased && self.step > 0;
        Row { lines: &self.lines[start..start + self.lines_per_stripe], is_leased }
    }

    /// How many words [`sum_all`](Self::sum_all) gives: those of whole cache lines.
    pub(crate) const fn room_for(words: usize) -> usize {
        words.div_ceil(WORDS_PER_LINE) * WORDS_PER_LINE
    }

    /// Adds to `totals` what all cells hold over all stripes.
    pub(crate) fn sum_all(&self, totals: &mut [u64]) {
        let mut used = self.used();
        while let Some((stripe, others)) = used.split_at_checked(self.lines_per_stripe) {
            for (totals, line) in totals.as_chunks_mut::<WORDS_PER_LINE>().0.iter_mut().zip(stripe) {
                for (total, cell) in totals.iter_mut().zip(&line.0) {
                    *total = total.wrapping_add(cell.load(Ordering::Acquire));
                }
            }
            used = others;
        }
    }

    /// Has the processor fetch the cells, since many series are more than it keeps at hand.
    pub(crate) fn fetch(&self) -> u64 {
        self.used().iter().fold(0, |seen, line| seen | line.0[0].load(Ordering::Relaxed))
    }

    fn used(&self) -> &[Line] {
        let used = USED.load(Ordering::Acquire) * self.lines_per_stripe;
        self.lines.get(..used).unwrap_or(&self.lines)
    }

    /// The total of one cell over all stripes.
    pub(crate) fn sum(&self, word: usize) -> u64 {
        self.lines[word / WORDS_PER_LINE..]
            .iter()
            .step_by(self.lines_per_stripe)
            .take(USED.load(Ordering::Acquire))
            .map(|line| line.0[word % WORDS_PER_LINE].load(Ordering::Acquire))
            .fold(0, u64::wrapping_add)
    }
}

fn lines(count: usize) -> Box<[Line]> {
    (0..count).map(|_| Line::default()).collect()
}

/// The cells of one stripe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'c> {
    lines: &'c [Line],
    is_leased: bool,
}

impl Row<'_> {
    /// Adds to one cell.
    ///
    /// `Release`, so that whoever reads the addition by [`sum`](Cells::sum) also reads what was added to
    /// other cells before it: a call's start before its end.
    #[inline]
    pub(crate) fn add(self, word: usize, amount: u64) {
        let cell = &self.lines[word / WORDS_PER_LINE].0[word % WORDS_PER_LINE];
        if self.is_leased {
            // No other thread writes between the load and the store.
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
        } else {
            cell.fetch_add(amount, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds to every cell from a destructor that may run before or after the thread's lease has ended.
    struct AddsAtTheEnd(&'static Cells);

    impl Drop for AddsAtTheEnd {
        fn drop(&mut self) {
            add_everywhere(self.0);
        }
    }

    fn add_everywhere(cells: &Cells) {
        for word in 0..20 {
            cells.of(Stripe::of_this_thread()).add(word, word as u64);
        }
    }

    fn cells() -> &'static Cells {
        Box::leak(Box::new(Cells::new(20)))
    }

    fn assert_additions(cells: &Cells, times: u64) {
        for word in 0..20 {
            assert_eq!(cells.sum(word), times * word as u64);
        }
    }

    #[test]
    fn a_cell_keeps_what_exited_threads_added() {
        let cells = cells();
        for _ in 0..3 {
            std::thread::scope(|scope| {
                for _ in 0..STRIPES.leased + 8 {
                    scope.spawn(|| (0..1_000).for_each(|_| add_everywhere(cells)));
                }
            });
        }
        assert_additions(cells, 3 * 1_000 * (STRIPES.leased as u64 + 8));
    }

    #[test]
    fn cells_of_one_stripe_count_what_all_threads_add() {
        let cells = Cells::unstriped(20);
        std::thread::scope(|scope| {
            for _ in 0..STRIPES.leased + 2 {
                scope.spawn(|| (0..1_000).for_each(|_| add_everywhere(&cells)));
            }
        });
        assert_additions(&cells, 1_000 * (STRIPES.leased as u64 + 2));
        let mut totals = vec![0; Cells::room_for(20)];
        cells.sum_all(&mut totals);
        assert_eq!(totals[19], cells.sum(19));
    }

    #[test]
    fn what_destructors_of_a_thread_add_is_counted() {
        thread_local! {
            static FIRST: Cell<Option<AddsAtTheEnd>> = const { Cell::new(None) };
            static LAST: Cell<Option<AddsAtTheEnd>> = const { Cell::new(None) };
        }
        let cells = cells();
        for _ in 0..50 {
            std::thread::spawn(|| {
                FIRST.set(Some(AddsAtTheEnd(cells)));
                add_everywhere(cells);
                LAST.set(Some(AddsAtTheEnd(cells)));
            })
            .join()
            .unwrap();
        }
        assert_additions(cells, 150);
    }

    #[test]
    fn a_stripe_has_one_holder_at_a_time() {
        let held: Mutex<Vec<usize>> = Mutex::default();
        let all_hold = std::sync::Barrier::new(STRIPES.leased + 8);
        std::thread::scope(|scope| {
            for _ in 0..STRIPES.leased + 8 {
                scope.spawn(|| {
                    let stripe = Stripe::of_this_thread();
                    if stripe.is_leased {
                        held.lock().unwrap().push(stripe.index);
                    }
                    all_hold.wait();
                });
            }
        });
        let mut held = held.into_inner().unwrap();
        let leases = held.len();
        held.sort_unstable();
        held.dedup();
        assert_eq!(held.len(), leases, "two threads held one stripe");
        assert!(leases <= STRIPES.leased);
    }
}
