//! The usage of model calls: tokens and cost by innermost agent, and the calls whose usage is not known.
//!
//! A model call takes milliseconds at least, so these counters are plain atomics and not striped cells.

#[cfg(feature = "runs")]
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
#[cfg(feature = "runs")]
use std::sync::{Mutex, PoisonError};

use crate::cells::buckets::Buckets;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::families::calls::MODEL_BUCKETS;
use crate::families::catalog::{self, Metric};
use crate::families::counters::{Count, Counters, add_saturating, snapshot};
use crate::families::family::{Family, Found};
use crate::families::snapshot::MetricSnapshot;
#[cfg(feature = "runs")]
use crate::usage::CostSource;
use crate::usage::{Cost, Usage};

/// The metrics of tokens and cost, in the order of the counters of a [`TokenSeries`]. The last one counts nano-dollars.
static BY_AGENT: [&Metric; COUNTERS] = [
    &catalog::MODEL_INPUT_TOKENS,
    &catalog::MODEL_OUTPUT_TOKENS,
    &catalog::MODEL_CACHED_TOKENS,
    &catalog::MODEL_CACHE_WRITE_TOKENS,
    &catalog::MODEL_REASONING_TOKENS,
    &catalog::MODEL_UNPRICED_TOKENS,
    &catalog::MODEL_COST,
];

const COUNTERS: usize = 7;

/// The places of the last two counters.
const UNPRICED: usize = 5;
const COST: usize = 6;

/// All metrics of this file. Those of tokens and cost are shown once they have counted something.
pub(crate) fn all() -> impl Iterator<Item = &'static Metric> {
    BY_AGENT.into_iter().chain([UNKNOWN.metric, CORRECTED.metric, RETRIES.metric])
}

static TOKENS: Family<TokenSeries> =
    Family::new(&catalog::MODEL_INPUT_TOKENS, catalog::MODEL_INPUT_TOKENS.labels, &MODEL_BUCKETS);

static UNKNOWN: Counters = Counters::new(&catalog::MODEL_USAGE_UNKNOWN);
static CORRECTED: Counters = Counters::new(&catalog::MODEL_USAGE_CORRECTED);
static RETRIES: Counters = Counters::new(&catalog::MODEL_RETRIES);

/// The reason why nothing is known of a call's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownUsage {
    /// The call was dropped before its reply.
    Cancelled,
    /// The call ended as an error or a panic.
    Failed,
    /// The call succeeded, and reported none.
    NoUsage,
    /// The stream was dropped after its first item, before the one that has the usage.
    StreamCut,
}

impl UnknownUsage {
    const ALL: [Self; 4] = [Self::Cancelled, Self::Failed, Self::NoUsage, Self::StreamCut];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::NoUsage => "no_usage",
            Self::StreamCut => "stream_cut",
        }
    }
}

/// Shows the counters of calls at 0, from the first call of a model on. Tokens and cost that nobody has reported are unknown, which
/// is not 0.
#[cold]
pub(crate) fn prepare([provider, model]: [&str; 2]) {
    for reason in UnknownUsage::ALL {
        UNKNOWN.prepare(&[provider, model, reason.as_str()]);
    }
    for counters in [&CORRECTED, &RETRIES] {
        counters.prepare(&[provider, model]);
    }
}

/// Counts the tokens of a call by the contract of [`Usage`], and its cost or else its tokens without a price.
pub(crate) fn count_usage(labels: &[&str; 3], usage: &Usage, cost: Option<Cost>) {
    let (Found::Own(series) | Found::Overflow(series)) = TOKENS.find(labels);
    let counts = [
        usage.input_tokens(),
        usage.output_tokens(),
        usage.cached_input_tokens(),
        usage.cache_write_input_tokens(),
        usage.reasoning_output_tokens(),
    ];
    for (place, tokens) in counts.into_iter().enumerate() {
        series.add(place, tokens);
    }
    series.calls[usize::from(cost.is_none())].fetch_add(1, Ordering::Relaxed);
    if let Some(cost) = cost {
        series.add(COST, Some(cost.nanos()));
        #[cfg(feature = "runs")]
        series.note_price(cost.source());
    } else {
        series.add(UNPRICED, known_tokens(usage));
    }
}

/// The tokens of the input and the output. The known parts take the place of an unknown whole.
fn known_tokens(usage: &Usage) -> Option<u64> {
    let sum = |counts: [Option<u64>; 2]| counts.into_iter().flatten().reduce(u64::saturating_add);
    let of_cache = || sum([usage.cached_input_tokens(), usage.cache_write_input_tokens()]);
    sum([usage.input_tokens().or_else(of_cache), usage.output_tokens().or(usage.reasoning_output_tokens())])
}

/// Counts a call without usage.
pub(crate) fn count_unknown([provider, model]: [&str; 2], reason: UnknownUsage) {
    UNKNOWN.count(&[provider, model, reason.as_str()]);
}

/// Counts a call whose usage broke the contract.
pub(crate) fn count_corrected(labels: [&str; 2]) {
    CORRECTED.count(&labels);
}

/// Counts a further attempt of a call.
pub(crate) fn count_retry(labels: [&str; 2]) {
    RETRIES.count(&labels);
}

/// Takes a snapshot of every metric that has counted something.
pub(crate) fn read() -> Vec<MetricSnapshot> {
    let series = TOKENS.sorted();
    let by_agent = BY_AGENT.into_iter().enumerate().filter_map(|(place, metric)| {
        let read: Vec<_> = series
            .iter()
            .filter_map(|series| Some((&series.labels, series.count(place)?)))
            .map(|(labels, count)| {
                (labels, if place == COST { Count::Nanos(count) } else { Count::Whole(count) })
            })
            .collect();
        snapshot(metric, read)
    });
    let by_model = [&UNKNOWN, &CORRECTED, &RETRIES].into_iter().filter_map(Counters::read);
    by_agent.chain(by_model).collect()
}

/// The usage and the cost of model calls since the start.
#[cfg(feature = "runs")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cached_input: Option<u64>,
    pub(crate) cache_write: Option<u64>,
    pub(crate) reasoning: Option<u64>,
    /// Tokens without a price.
    pub(crate) unpriced: Option<u64>,
    /// Nano-dollars.
    pub(crate) cost: Option<u64>,
    /// Calls with usage that have a price, and those that have none.
    pub(crate) calls: [u64; 2],
    pub(crate) last_price: Option<LastPrice>,
}

/// The source of the cost of the last call that had one.
#[cfg(feature = "runs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastPrice {
    /// The number of the call among all that had a cost.
    number: u64,
    pub(crate) source: CostSource,
}

#[cfg(feature = "runs")]
impl Totals {
    /// Adds another sum. A part that neither knows stays unknown.
    pub(crate) fn add(&mut self, other: &Self) {
        let sum = |own: &mut Option<u64>, other: Option<u64>| {
            *own = [*own, other].into_iter().flatten().reduce(u64::saturating_add);
        };
        sum(&mut self.input, other.input);
        sum(&mut self.output, other.output);
        sum(&mut self.cached_input, other.cached_input);
        sum(&mut self.cache_write, other.cache_write);
        sum(&mut self.reasoning, other.reasoning);
        sum(&mut self.unpriced, other.unpriced);
        sum(&mut self.cost, other.cost);
        self.calls.iter_mut().zip(other.calls).for_each(|(own, other)| *own += other);
        self.last_price =
            [self.last_price, other.last_price].into_iter().flatten().max_by_key(|price| price.number);
    }
}

/// Reads the usage of the model calls of each agent, provider and model. The agent is empty outside of any.
#[cfg(feature = "runs")]
pub(crate) fn each_used(mut look: impl FnMut([&'static str; 3], &Totals)) {
    for series in TOKENS.sorted() {
        let [input, output, cached_input, cache_write, reasoning, unpriced, cost] =
            std::array::from_fn(|place| series.count(place));
        let calls = std::array::from_fn(|place| series.calls[place].load(Ordering::Relaxed));
        let last_price = *series.last_price.lock().unwrap_or_else(PoisonError::into_inner);
        let totals =
            Totals { input, output, cached_input, cache_write, reasoning, unpriced, cost, calls, last_price };
        look(series.labels.first_values(), &totals);
    }
}

/// The output tokens of each provider and model that has reported any.
#[cfg(feature = "runs")]
pub(crate) fn output_by_model() -> BTreeMap<[&'static str; 2], u64> {
    let mut sums = BTreeMap::new();
    each_used(|[_, provider, model], totals| {
        if let Some(output) = totals.output {
            let sum = sums.entry([provider, model]).or_insert(0_u64);
            *sum = sum.saturating_add(output);
        }
    });
    sums
}

/// The sum over all model calls.
#[cfg(feature = "runs")]
pub(crate) fn totals() -> Totals {
    let mut sum = Totals::default();
    each_used(|_, totals| sum.add(totals));
    sum
}

/// Reads the calls without usage of each provider and model.
#[cfg(feature = "runs")]
pub(crate) fn each_unknown(look: impl FnMut([&'static str; 2], u64)) {
    UNKNOWN.each(look);
}

/// Reads the further attempts of each provider and model.
#[cfg(feature = "runs")]
pub(crate) fn each_retried(look: impl FnMut([&'static str; 2], u64)) {
    RETRIES.each(look);
}

/// The tokens and the cost of one agent, provider and model.
struct TokenSeries {
    labels: Labels,
    counters: [AtomicU64; COUNTERS],
    /// A bit for each counter that was ever reported. The others are unknown, which is not 0.
    known: AtomicU8,
    /// Calls that have a price, and those that have none. They are not metrics.
    calls: [AtomicU64; 2],
    #[cfg(feature = "runs")]
    last_price: Mutex<Option<LastPrice>>,
}

impl TokenSeries {
    #[cfg(feature = "runs")]
    fn note_price(&self, source: CostSource) {
        static PRICED: AtomicU64 = AtomicU64::new(0);
        let number = PRICED.fetch_add(1, Ordering::Relaxed);
        *self.last_price.lock().unwrap_or_else(PoisonError::into_inner) = Some(LastPrice { number, source });
    }

    fn add(&self, place: usize, amount: Option<u64>) {
        if let Some(amount) = amount {
            add_saturating(&self.counters[place], amount);
            self.known.fetch_or(1 << place, Ordering::Release);
        }
    }

    fn count(&self, place: usize) -> Option<u64> {
        let is_known = self.known.load(Ordering::Acquire) >> place & 1 == 1;
        is_known.then(|| self.counters[place].load(Ordering::Relaxed))
    }
}

impl Series for TokenSeries {
    fn new(labels: Labels, _: &'static Buckets) -> Self {
        Self {
            labels,
            counters: [const { AtomicU64::new(0) }; COUNTERS],
            known: AtomicU8::new(0),
            calls: [const { AtomicU64::new(0) }; 2],
            #[cfg(feature = "runs")]
            last_price: Mutex::default(),
        }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_sum_stays_at_its_maximum() {
        let labels = ["", "models-saturating", "model"];
        let dear = Some(Cost::from_nano_usd(u64::MAX - 1));
        for _ in 0..2 {
            count_usage(&labels, &Usage::new(1, 1), dear);
        }
        let (Found::Own(series) | Found::Overflow(series)) = TOKENS.find(&labels);
        assert_eq!((series.count(COST), series.count(0)), (Some(u64::MAX), Some(2)));
    }

    #[test]
    fn tokens_without_a_price_are_the_known_parts_of_unknown_wholes() {
        let parts = Usage::default().cached(640).cache_write(100).reasoning(64);
        assert_eq!(known_tokens(&parts), Some(804));
        assert_eq!(known_tokens(&parts.input(812).output(96)), Some(908));
        assert_eq!(known_tokens(&Usage::default()), None);
    }
}
