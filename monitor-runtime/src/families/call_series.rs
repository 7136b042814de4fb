//! The series of one id: all numbers of its calls.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::cells::buckets::Buckets;
use crate::cells::clock;
use crate::cells::exemplars::{self, Exemplars, Identity};
use crate::cells::histogram::Histogram;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::cells::objective::Objective;
use crate::cells::stripes::Stripe;
use crate::families::Outcome;

/// Everything counted for one id.
///
/// What each call reads stands first, on two cache lines: where an expression gives the id, a call meets a series that the
/// processor has to fetch.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct CallSeries {
    /// Calls that succeeded; beside them, calls that started.
    pub(crate) success: Histogram,
    /// The outcome of the calls of which a duration is all that is kept: [`Outcome::Success`], or [`NONE`].
    fast_outcome: AtomicU8,
    /// At hand, which spares each call to ask whether the process has one yet.
    clock: &'static quanta::Clock,
    pub(crate) labels: Labels,
    pub(crate) buckets: &'static Buckets,
    /// Those that ended otherwise, made when the outcome first occurs.
    failed: [OnceLock<Histogram>; FAILED],
    /// Made when a stream first yields.
    pub(crate) first_item: OnceLock<Histogram>,
    exemplars: OnceLock<Box<CallExemplars>>,
}

/// An `Outcome` that no call has.
const NONE: u8 = u8::MAX;

/// By outcome, and those of first items last; each made when its histogram first moves.
type CallExemplars = [OnceLock<Exemplars>; Outcome::ALL.len() + 1];

/// The place of the exemplars of first items.
pub(crate) const FIRST_ITEM: usize = Outcome::ALL.len();

/// The outcomes but [`Outcome::Success`].
const FAILED: usize = Outcome::ALL.len() - 1;

impl Series for CallSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        let series = Self {
            labels,
            buckets,
            clock: clock::clock(),
            fast_outcome: AtomicU8::new(Outcome::Success as u8),
            success: Histogram::new(buckets),
            failed: [const { OnceLock::new() }; FAILED],
            first_item: OnceLock::new(),
            exemplars: OnceLock::new(),
        };
        {
            if exemplars::are_kept() {
                series.keep_exemplars();
            }
            if buckets.layout().is_some() {
                series.fast_outcome.store(NONE, Ordering::Relaxed);
            }
        }
        series
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl CallSeries {
    /// The id among its labels: the last of them.
    pub(crate) fn id(&self) -> &str {
        self.labels.values().last().unwrap_or("")
    }

    /// Counts a call that starts, and gives the moment at which it does, in the clock's ticks.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.success.add_started(Stripe::of_this_thread(), 1);
        self.clock.raw()
    }

    /// The nanoseconds since a moment that [`start`](Self::start) gave; 0 should the clock ever step back.
    #[inline]
    pub(crate) fn nanos_since(&self, started: u64) -> u64 {
        self.clock.delta_as_nanos(started, self.clock.raw())
    }

    /// Whether the duration is all that is kept of a call with this outcome: [`record_fast`](Self::record_fast) may count it.
    ///
    /// One comparison decides, so exemplars and native histograms cost nothing when they are off.
    #[inline]
    pub(crate) fn is_fast(&self, outcome: Outcome) -> bool {
        outcome as u8 == self.fast_outcome.load(Ordering::Relaxed)
    }

    /// Counts a call that ended, whose outcome [is fast](Self::is_fast). Each start is followed by exactly one end.
    #[inline]
    pub(crate) fn record_fast(&self, nanos: u64) {
        self.success.record(Stripe::of_this_thread(), nanos);
    }

    /// Counts a call that ended, with any outcome. `identify` names it for an exemplar.
    pub(crate) fn record(&self, outcome: Outcome, nanos: u64, identify: &dyn Fn() -> Option<Identity>) {
        self.record_everywhere(self.histogram(outcome), outcome as usize, nanos, identify);
    }

    fn histogram(&self, outcome: Outcome) -> &Histogram {
        let Some(place) = (outcome as usize).checked_sub(1) else { return &self.success };
        self.failed[place].get_or_init(|| match outcome {
            Outcome::Panic | Outcome::Cancelled => Histogram::unstriped(self.buckets),
            Outcome::Success | Outcome::Error => Histogram::new(self.buckets),
        })
    }

    /// Records how long a stream that started at such a moment took to yield its first item, and gives the nanoseconds.
    pub(crate) fn first_item(&self, started: u64, identify: impl Fn() -> Option<Identity>) -> u64 {
        let nanos = self.nanos_since(started);
        let histogram = self.first_item.get_or_init(|| Histogram::new(self.buckets));
        self.record_everywhere(histogram, FIRST_ITEM, nanos, &identify);
        nanos
    }

    /// Records wherever there is something to be kept; `place` is that of the exemplars.
    fn record_everywhere(
        &self,
        histogram: &Histogram,
        place: usize,
        nanos: u64,
        identify: &dyn Fn() -> Option<Identity>,
    ) {
        histogram.record_fully(Stripe::of_this_thread(), nanos);
        self.offer_exemplar(place, nanos, identify);
    }

    /// Keeps exemplars from here on.
    pub(crate) fn keep_exemplars(&self) {
        self.exemplars.get_or_init(Box::default);
        self.fast_outcome.store(NONE, Ordering::Relaxed);
    }

    fn offer_exemplar(&self, place: usize, nanos: u64, identify: &dyn Fn() -> Option<Identity>) {
        if let Some(exemplars) = self.exemplars.get() {
            let exemplars = exemplars[place].get_or_init(|| Exemplars::new(self.buckets.bounds().len()));
            exemplars.offer(self.buckets.shown(nanos), nanos, identify);
        }
    }

    pub(crate) fn exemplars(&self, place: usize) -> Option<&Exemplars> {
        self.exemplars.get()?[place].get()
    }

    pub(crate) fn ended(&self, outcome: Outcome) -> Option<&Histogram> {
        match outcome {
            Outcome::Success => Some(&self.success),
            _ => self.failed[outcome as usize - 1].get(),
        }
    }
}

impl CallSeries {
    /// Warns if these calls have another objective than `wanted`: of all functions under one id, the one that was called first
    /// sets the objective.
    #[cold]
    pub(crate) fn warn_if_objective_differs(&self, wanted: &'static Objective) {
        if self.buckets.objective() != Some(wanted) {
            tracing::warn!(
                target: "monitor_runtime::metrics",
                id = self.id(),
                "another function under this id was called first and its objective applies; give both functions the same one"
            );
        }
    }
}
