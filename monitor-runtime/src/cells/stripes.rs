//! Cells that many threads add to without sharing cache lines.
//!
//! A cell is one word in every stripe; its value is the sum over all stripes. A thread leases a stripe when it first
//! adds and returns it when it ends. A leased stripe has one writer at a time, so an addition is a plain load and
//! store, without an atomic read-modify-write. Once all of these stripes are leased, further threads share a few others
//! and use `fetch_add`. Numbers stay in a stripe when its thread ends; the next holder adds to them.
//!
//! The lines of one [`Cells`] with `n` lines a stripe:
//!
//! ```text
//! heads    L0.0  L1.0  L2.0 …                               line 0 of each leased stripe
//! others   L0.1 … L0.n-1 │ L1.1 … L1.n-1 │ …                the other lines of each leased stripe
//!          S0.0 S0.1 … S0.n-1 │ S1.0 … S1.n-1 │ …           all lines of each shared stripe
//! ```
//!
//! A line is 64 bytes, 8 words; word `w` of the cells is word `w % 8` of line `w / 8`. The first line holds the hot
//! cells. It is found by the stripe's number alone, without a multiplication. Without striping there are no heads, and
//! `others` is a single stripe that all threads share.
//!
//! Order: additions are `Release` and reads `Acquire`. A reader that sees a later addition of a thread therefore also
//! sees the earlier ones, if it reads the later cell first.

use std::cell::Cell;
use std::sync::{LazyLock, PoisonError};

#[cfg(loom)]
use super::sync::CellKey as _;
use super::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use super::sync::{Mutex, available_parallelism, local_static, shared_static};

const WORDS_PER_LINE: usize = 8;

/// The number of stripes, fixed at first use.
#[derive(Debug)]
struct Stripes {
    leased: usize,
    shared: usize,
}

static STRIPES: LazyLock<Stripes> = LazyLock::new(|| {
    let cores = available_parallelism().min(64);
    // A runtime has one worker for each core, and the thread that started it often makes a few calls as well.
    Stripes { leased: cores + 1, shared: cores.div_ceil(4) }
});

shared_static! {
    /// One more than the highest stripe ever assigned; the cells of all stripes from there on are 0.
    ///
    /// It is raised before a stripe's first addition, so a reader that must see an addition also sees a number that
    /// covers its stripe.
    static USED: AtomicUsize = AtomicUsize::new(0);
}

/// The number of the stripe that a thread leases, or [`NONE`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stripe(usize);

/// Not the number of any stripe, so a look-up with it finds nothing.
const NONE: usize = usize::MAX;

local_static! {
    // Without destructors, so both stay readable while the thread's other thread-locals are dropped.
    static LEASED: Cell<usize> = const { Cell::new(NONE) };
    /// The number of the shared stripe of a thread that could not lease one.
    static SHARED: Cell<usize> = const { Cell::new(NONE) };
    static LEASE: Lease = const { Lease(Cell::new(None)) };
}

impl Stripe {
    /// The stripe that the thread leases; [`NONE`] before its first addition, and if it shares one.
    #[inline]
    pub(crate) fn of_this_thread() -> Self {
        Self(LEASED.get())
    }
}

/// The stripe that a thread adds to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StripeSlot {
    /// No other thread has the stripe of this number at the same time.
    Leased(usize),
    Shared(usize),
}

impl StripeSlot {
    pub(crate) fn of_this_thread() -> Self {
        match (LEASED.get(), SHARED.get()) {
            (NONE, NONE) => Self::assign(),
            (NONE, shared) => Self::Shared(shared),
            (leased, _) => Self::Leased(leased),
        }
    }

    #[cold]
    fn assign() -> Self {
        let leased = LEASE.try_with(Lease::take).unwrap_or(None);
        let (place, number) = match leased {
            Some(leased) => (Self::Leased(leased), leased),
            None => Self::share(),
        };
        USED.fetch_max(number + 1, Ordering::AcqRel);
        place
    }

    fn share() -> (Self, usize) {
        shared_static! { static NEXT: AtomicUsize = AtomicUsize::new(0); }
        let turn = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES.shared;
        SHARED.set(turn);
        (Self::Shared(turn), STRIPES.leased + turn)
    }
}

/// The number of stripes that threads lease.
#[cfg(feature = "runs")]
pub(crate) fn leased() -> usize {
    STRIPES.leased
}

shared_static! {
    /// Besides the list, the lock hands over a stripe's numbers: the next holder sees all additions of the last one.
    static FREE: Mutex<FreeStripes> = Mutex::new(FreeStripes { returned: Vec::new(), handed_out: 0 });
}

/// The leased stripes without a holder.
struct FreeStripes {
    /// Returned by threads that have ended.
    returned: Vec<usize>,
    /// The number of stripes ever leased; those from there on are unused.
    handed_out: usize,
}

impl FreeStripes {
    fn take(&mut self) -> Option<usize> {
        if let Some(returned) = self.returned.pop() {
            return Some(returned);
        }
        let next = self.handed_out;
        (next < STRIPES.leased).then(|| {
            self.handed_out += 1;
            next
        })
    }
}

/// Returns the stripe when the thread ends.
struct Lease(Cell<Option<usize>>);

impl Lease {
    fn take(&self) -> Option<usize> {
        let index = FREE.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.set(index);
        LEASED.set(index.unwrap_or(NONE));
        index
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(index) = self.0.take() {
            // Destructors of other thread-locals may still count, and use a shared stripe then.
            LEASED.set(NONE);
            FREE.lock().unwrap_or_else(PoisonError::into_inner).returned.push(index);
        }
    }
}

/// Returns the thread's stripe. Loom may let a thread be joined before its thread-locals are dropped, and drops the
/// statics in between, so the models call this as a thread's last step.
#[cfg(loom)]
pub(crate) fn end_thread() {
    LEASE.with(|lease| drop(Lease(Cell::new(lease.0.take()))));
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; WORDS_PER_LINE]);

/// A row of striped counters. The module documentation shows the layout.
#[derive(Debug)]
pub(crate) struct Cells {
    /// The first line of each leased stripe; empty if the cells are not striped.
    heads: Box<[Line]>,
    /// The other lines of each leased stripe, then all lines of each shared stripe.
    others: Box<[Line]>,
    lines_per_stripe: usize,
}

impl Cells {
    /// Makes at least `words` cells at 0.
    pub(crate) fn new(words: usize) -> Self {
        let Stripes { leased, shared } = *STRIPES;
        let lines_per_stripe = words.div_ceil(WORDS_PER_LINE);
        let others = (lines_per_stripe - 1) * leased + lines_per_stripe * shared;
        Self { heads: lines(leased), others: lines(others), lines_per_stripe }
    }

    /// Makes `words` cells at 0 in one stripe that all threads share, for rare events.
    pub(crate) fn unstriped(words: usize) -> Self {
        let lines_per_stripe = words.div_ceil(WORDS_PER_LINE);
        Self { heads: lines(0), others: lines(lines_per_stripe), lines_per_stripe }
    }

    /// Adds to a cell in the thread's stripe.
    ///
    /// `Release` orders the addition after earlier ones of the thread: a reader that sees a call's end in
    /// [`sum`](Cells::sum) also sees its start.
    #[inline]
    pub(crate) fn add(&self, Stripe(stripe): Stripe, word: usize, amount: u64) {
        match self.heads.get(stripe).and_then(|head| head.0.get(word)) {
            Some(cell) => add_alone(cell, amount),
            None => self.add_elsewhere(word, amount),
        }
    }

    /// Adds to two cells, each given as word and amount, with one look-up of the stripe.
    #[inline]
    pub(crate) fn add_two(&self, Stripe(stripe): Stripe, first: (usize, u64), second: (usize, u64)) {
        let head = self.heads.get(stripe).map(|head| &head.0);
        match head.and_then(|head| Some((head.get(first.0)?, head.get(second.0)?))) {
            Some(cells) => {
                add_alone(cells.0, first.1);
                add_alone(cells.1, second.1);
            }
            None => self.add_two_elsewhere(first, second),
        }
    }

    #[inline(never)]
    fn add_two_elsewhere(&self, first: (usize, u64), second: (usize, u64)) {
        self.add_elsewhere(first.0, first.1);
        self.add_elsewhere(second.0, second.1);
    }

    /// Adds to any cell; the slow path for cells beyond the first line and for threads without a lease.
    #[inline(never)]
    fn add_elsewhere(&self, word: usize, amount: u64) {
        let (line, word) = (word / WORDS_PER_LINE, word % WORDS_PER_LINE);
        match StripeSlot::of_this_thread() {
            _ if self.heads.is_empty() => add_beside_others(&self.others[line].0[word], amount),
            StripeSlot::Leased(stripe) if line == 0 => add_alone(&self.heads[stripe].0[word], amount),
            StripeSlot::Leased(stripe) => {
                let before = stripe * (self.lines_per_stripe - 1);
                add_alone(&self.others[before + line - 1].0[word], amount);
            }
            StripeSlot::Shared(stripe) => {
                let line = &self.shared()[stripe * self.lines_per_stripe + line];
                add_beside_others(&line.0[word], amount);
            }
        }
    }

    /// The lines of the shared stripes, or of the only stripe if the cells are not striped.
    fn shared(&self) -> &[Line] {
        self.others.get(self.heads.len() * (self.lines_per_stripe - 1)..).unwrap_or_default()
    }

    /// The number of words that [`sum_all`](Self::sum_all) fills: `words`, rounded up to whole lines.
    pub(crate) const fn room_for(words: usize) -> usize {
        words.div_ceil(WORDS_PER_LINE) * WORDS_PER_LINE
    }

    /// Adds the sum of each cell over all stripes to `totals`, which has [`room_for`](Self::room_for) the cells.
    pub(crate) fn sum_all(&self, totals: &mut [u64]) {
        let [heads, tails, shared] = self.used();
        if let Some((first, behind)) = totals.split_at_mut_checked(WORDS_PER_LINE) {
            for head in heads {
                add_line(first, head);
            }
            add_stripes(behind, tails, self.lines_per_stripe - 1);
        }
        add_stripes(totals, shared, self.lines_per_stripe);
    }

    /// The lines that may hold numbers: first lines, other lines, shared stripes.
    fn used(&self) -> [&[Line]; 3] {
        let used = USED.load(Ordering::Acquire);
        let leased = used.min(self.heads.len());
        let shared = (used - leased) * self.lines_per_stripe;
        let shared = if self.heads.is_empty() { self.lines_per_stripe } else { shared };
        let (heads, tails) =
            (self.heads.get(..leased), self.others.get(..leased * (self.lines_per_stripe - 1)));
        [heads, tails, self.shared().get(..shared)].map(Option::unwrap_or_default)
    }

    /// The sum of one cell over all stripes.
    pub(crate) fn sum(&self, word: usize) -> u64 {
        let (line, word) = (word / WORDS_PER_LINE, word % WORDS_PER_LINE);
        let [heads, tails, shared] = self.used();
        let leased = match line.checked_sub(1) {
            None => sum_of(heads, 1, word),
            Some(tail) => sum_of(tails.get(tail..).unwrap_or_default(), self.lines_per_stripe - 1, word),
        };
        leased.wrapping_add(sum_of(shared.get(line..).unwrap_or_default(), self.lines_per_stripe, word))
    }
}

/// Adds to a cell in a leased stripe. The thread is its only writer, so nothing is written between the load and the
/// store.
#[inline]
fn add_alone(cell: &AtomicU64, amount: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
}

fn add_beside_others(cell: &AtomicU64, amount: u64) {
    cell.fetch_add(amount, Ordering::Release);
}

fn add_stripes(totals: &mut [u64], stripes: &[Line], lines_per_stripe: usize) {
    for stripe in stripes.chunks(lines_per_stripe.max(1)) {
        for (totals, line) in totals.chunks_exact_mut(WORDS_PER_LINE).zip(stripe) {
            add_line(totals, line);
        }
    }
}

#[inline]
fn add_line(totals: &mut [u64], line: &Line) {
    for (total, cell) in totals.iter_mut().zip(&line.0) {
        *total = total.wrapping_add(cell.load(Ordering::Acquire));
    }
}

/// Sums one word of every `step`-th line.
fn sum_of(lines: &[Line], step: usize, word: usize) -> u64 {
    let cells = lines.iter().step_by(step.max(1)).map(|line| line.0[word].load(Ordering::Acquire));
    cells.fold(0, u64::wrapping_add)
}

fn lines(count: usize) -> Box<[Line]> {
    (0..count).map(|_| Line::default()).collect()
}

#[cfg(all(test, not(loom)))]
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
            cells.add(Stripe::of_this_thread(), word, word as u64);
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
    fn additions_of_thread_local_destructors_are_counted() {
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
                    if let StripeSlot::Leased(stripe) = StripeSlot::of_this_thread() {
                        held.lock().unwrap().push(stripe);
                    }
                    all_hold.wait();
                });
            }
        });
        let mut held = held.into_inner().unwrap();
        let leases = held.len();
        held.sort_unstable();
        held.dedup();
        assert_eq!(held.len(), leases, "two threads held the same stripe");
        assert!(leases <= STRIPES.leased);
    }
}
