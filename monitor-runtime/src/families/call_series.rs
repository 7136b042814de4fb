//! The series of one id: all numbers of its calls.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use crate::cells::buckets::Buckets;
use crate::cells::clock;
use crate::cells::exemplars::{self, Exemplars, Identity};
use crate::cells::histogram::Histogram;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::cells::objective::Objective;
use crate::cells::stripes::Stripe;
use crate::families::Outcome;
use crate::families::agents;

/// All numbers of the calls under one id.
///
/// The fields that every call reads come first, on two cache lines. If an expression gives the id, the series is often
/// not in the cache, so each line counts.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct CallSeries {
    /// Calls that succeeded; the calls started share its cells.
    pub(crate) success: Histogram,
    /// The outcome that [`record_fast`](Self::record_fast) may count: [`Outcome::Success`], or [`NONE`] if exemplars or
    /// native histograms are kept, or if the calls are of a model.
    fast_outcome: AtomicU8,
    /// The bits of the number of the innermost agent that a call takes over from its parent: none if it is an agent.
    pub(crate) inherited: u32,
    /// If the calls are of an agent, its number, in the same bits; 0 for other calls.
    pub(crate) agent: u32,
    /// Its place in [`NUMBERED`], plus one. 0 until [`number`](Self::number) is first called.
    number: AtomicU32,
    /// A copy of the reference, so that a call need not check whether the clock is calibrated.
    clock: &'static quanta::Clock,
    pub(crate) labels: Labels,
    pub(crate) buckets: &'static Buckets,
    /// Calls with other outcomes; each histogram is made when its outcome first occurs.
    failed: [OnceLock<Histogram>; FAILED],
    /// Made when a stream first yields an item.
    pub(crate) first_item: OnceLock<Histogram>,
    exemplars: OnceLock<Box<CallExemplars>>,
}

/// The label that the series of agents have, and no others of calls.
const AGENT: &str = "agent_id";

/// Not the number of any outcome.
const NONE: u8 = u8::MAX;
/// Neither, for calls that are always recorded on the slow path.
const NEVER: u8 = u8::MAX - 1;

/// The exemplars by outcome, those of first items last; each is made with its first observation.
type CallExemplars = [OnceLock<Exemplars>; Outcome::ALL.len() + 1];

/// The index of the exemplars of first items.
pub(crate) const FIRST_ITEM: usize = Outcome::ALL.len();

/// The number of outcomes other than [`Outcome::Success`].
const FAILED: usize = Outcome::ALL.len() - 1;

impl Series for CallSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        let agent = if labels.is_first(AGENT) { agents::register(labels.first_values::<1>()[0]) } else { 0 };
        let series = Self {
            inherited: if agent == 0 { agents::MASK } else { 0 },
            agent: u32::from(agent) << agents::SHIFT,
            labels,
            buckets,
            clock: clock::clock(),
            fast_outcome: AtomicU8::new(Outcome::Success as u8),
            number: AtomicU32::new(0),
            success: Histogram::new(buckets),
            failed: [const { OnceLock::new() }; FAILED],
            first_item: OnceLock::new(),
            exemplars: OnceLock::new(),
        };
        if exemplars::are_kept() {
            series.keep_exemplars();
        }
        if buckets.layout().is_some() {
            series.fast_outcome.store(NONE, Ordering::Relaxed);
        }
        series
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// The series that have a number, so that a record of a few words can name one.
static NUMBERED: RwLock<Vec<&'static CallSeries>> = RwLock::new(Vec::new());

impl CallSeries {
    /// The number of the series, never 0.
    #[inline]
    pub(crate) fn number(&'static self) -> u32 {
        match self.number.load(Ordering::Relaxed) {
            0 => self.assign_number(),
            number => number,
        }
    }

    #[cold]
    fn assign_number(&'static self) -> u32 {
        let mut numbered = NUMBERED.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have assigned it in the meantime.
        if self.number.load(Ordering::Relaxed) == 0 {
            numbered.push(self);
            // Families are bounded, so the number fits.
            self.number.store(u32::try_from(numbered.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
        self.number.load(Ordering::Relaxed)
    }

    /// The series of this number.
    pub(crate) fn numbered(number: u32) -> Option<&'static Self> {
        let numbered = NUMBERED.read().unwrap_or_else(PoisonError::into_inner);
        numbered.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

impl CallSeries {
    /// The id, which is the last of the labels.
    pub(crate) fn id(&self) -> &str {
        self.labels.values().last().unwrap_or("")
    }

    /// Counts the start of a call. Returns the time in ticks of the clock.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.success.add_started(Stripe::of_this_thread(), 1);
        self.clock.raw()
    }

    /// Takes back a start whose call is not to be counted.
    #[cfg(feature = "logging")]
    pub(crate) fn take_back_start(&self) {
        // Cells add with wrap-around, so this subtracts one. The call has not ended, so the starts stay above the ends.
        self.success.add_started(Stripe::of_this_thread(), u64::MAX);
    }

    /// Nanoseconds since `started`, a value of [`start`](Self::start); 0 if the clock has stepped back.
    #[inline]
    pub(crate) fn nanos_since(&self, started: u64) -> u64 {
        self.clock.delta_as_nanos(started, self.clock.raw())
    }

    /// Whether [`record_fast`](Self::record_fast) may count a call with this outcome.
    ///
    /// One comparison decides, so exemplars and native histograms cost nothing when they are off.
    #[inline]
    pub(crate) fn is_fast(&self, outcome: Outcome) -> bool {
        outcome as u8 == self.fast_outcome.load(Ordering::Relaxed)
    }

    /// Counts the end of a call whose outcome [is fast](Self::is_fast). Each start is followed by exactly one end.
    #[inline]
    pub(crate) fn record_fast(&self, nanos: u64) {
        self.success.record(Stripe::of_this_thread(), nanos);
    }

    /// Counts the end of a call with any outcome. `identify` names it for an exemplar.
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

    /// Records the time to the first item of a stream.
    pub(crate) fn record_first_item(&self, nanos: u64, identify: impl Fn() -> Option<Identity>) {
        let histogram = self.first_item.get_or_init(|| Histogram::new(self.buckets));
        self.record_everywhere(histogram, FIRST_ITEM, nanos, &identify);
    }

    /// Records a duration in the histogram and as an exemplar; `place` is the index of the exemplars.
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

    /// Keeps exemplars from now on.
    pub(crate) fn keep_exemplars(&self) {
        self.exemplars.get_or_init(Box::default);
        self.fast_outcome.store(NONE, Ordering::Relaxed);
    }

    /// Records every call on the slow path from now on, since its end is more than a duration. Returns `false` if that is so
    /// already.
    pub(crate) fn record_slowly(&self) -> bool {
        let is_slow = self.fast_outcome.load(Ordering::Relaxed) == NEVER;
        !is_slow && self.fast_outcome.swap(NEVER, Ordering::Relaxed) != NEVER
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
    /// Warns if these calls have another objective than `wanted`. The first function called under an id sets the
    /// objective of the id.
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
