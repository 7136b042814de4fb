//! Records calls of models, agents and skills for the metrics of the conventions for generative AI.
//!
//! The process's own metrics cannot be converted to these: they know neither the operation of a model call nor the type of a
//! call's error, and their buckets are the user's. Nothing is recorded before the first export of metrics.
//!
//! The type of an error is known right after the call has ended, or before that if an item of its stream was the error:
//!
//! ```text
//! returned    call_ended ──► waits in WAITING ── error_typed ── call_concluded ──► recorded
//! in a stream error_typed ──► TYPED … call_ended ──► recorded
//! ```

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError, RwLock};

use tracing::Span;

use super::semconv::gen_ai_metrics::{self, Instrument};
use super::semconv::{error, gen_ai};
use super::span::now;
use crate::Outcome;
use crate::call::CallId;
use crate::call::observer::{self, CallEnded, FirstItem, ModelReplied, Observer};
use crate::cells::buckets::Buckets;
use crate::cells::histogram::Histogram;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::cells::stripes::Stripe;
use crate::error_chain::ErrorText;
use crate::families::CallKind;
use crate::families::counters::add_saturating;
use crate::families::family::{Family, Found};
use crate::usage::Usage;

static MODELS: Family<ModelSeries> = Family::new(
    &gen_ai_metrics::INFERENCE_DURATION.metric,
    &[gen_ai::OPERATION_NAME, gen_ai::PROVIDER_NAME, gen_ai::REQUEST_MODEL],
    gen_ai_metrics::INFERENCE_DURATION.bounds,
);
static AGENTS: Family<NamedSeries> = Family::new(
    &gen_ai_metrics::AGENT_DURATION.metric,
    &[gen_ai::AGENT_NAME],
    gen_ai_metrics::AGENT_DURATION.bounds,
);
static TOOLS: Family<NamedSeries> = Family::new(
    &gen_ai_metrics::TOOL_DURATION.metric,
    &[gen_ai::TOOL_NAME],
    gen_ai_metrics::TOOL_DURATION.bounds,
);

/// The begin of the recording, in nanoseconds since 1970.
static SINCE: OnceLock<u64> = OnceLock::new();

/// The types of errors in streams that go on, by call.
static TYPED: Mutex<Option<HashMap<CallId, &'static str>>> = Mutex::new(None);

thread_local! {
    /// The model call that ends next on this thread.
    static REPLIED: Cell<Option<Replied>> = const { Cell::new(None) };
    /// The calls that ended as errors whose type may come next. The code of an error may make further calls.
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

/// Records every call from now on. Native histograms are kept if the process keeps them for its model calls.
pub(super) fn record() {
    static RECORD: Once = Once::new();
    RECORD.call_once(|| {
        let native = CallKind::Model.family().series.hold().native();
        MODELS.hold().set(gen_ai_metrics::INFERENCE_DURATION.bounds, native);
        AGENTS.hold().set(gen_ai_metrics::AGENT_DURATION.bounds, native);
        TOOLS.hold().set(gen_ai_metrics::TOOL_DURATION.bounds, native);
        SINCE.get_or_init(now);
        observer::install(&Recorder);
    });
}

/// The begin of the recording in nanoseconds since 1970, if there is one.
pub(super) fn since() -> Option<u64> {
    SINCE.get().copied()
}

pub(super) fn models() -> Vec<&'static ModelSeries> {
    MODELS.sorted()
}

pub(super) fn agents() -> Vec<&'static NamedSeries> {
    AGENTS.sorted()
}

pub(super) fn tools() -> Vec<&'static NamedSeries> {
    TOOLS.sorted()
}

/// The metrics that an operation of a model counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operations {
    Inference,
    Embeddings,
    /// Neither of the two, such as reading a stored response again.
    Other,
}

impl Operations {
    fn of(operation: &str) -> Self {
        match operation {
            gen_ai::EMBEDDINGS => Self::Embeddings,
            gen_ai::RETRIEVAL | gen_ai::FETCH_RESPONSE => Self::Other,
            _ => Self::Inference,
        }
    }

    pub(super) fn duration(self) -> &'static Instrument {
        match self {
            Self::Inference => &gen_ai_metrics::INFERENCE_DURATION,
            Self::Embeddings => &gen_ai_metrics::EMBEDDINGS_DURATION,
            Self::Other => &gen_ai_metrics::OPERATION_DURATION,
        }
    }
}

/// The calls of one operation, provider and model.
pub(super) struct ModelSeries {
    labels: Labels,
    pub(super) operations: Operations,
    pub(super) durations: Durations,
    first_chunk: OnceLock<Histogram>,
    tokens: [AtomicU64; TOKEN_COUNTERS],
    /// A bit for each counter that was ever reported. The others are unknown, which is not 0.
    known: AtomicU8,
    pub(super) embedded: TokenCounts,
}

const TOKEN_COUNTERS: usize = 5;

/// The counters of tokens in the order of [`ModelSeries::tokens`].
pub(super) static TOKEN_METRICS: [&Instrument; TOKEN_COUNTERS] = [
    &gen_ai_metrics::INPUT_TOKENS,
    &gen_ai_metrics::OUTPUT_TOKENS,
    &gen_ai_metrics::CACHE_READ_TOKENS,
    &gen_ai_metrics::CACHE_WRITE_TOKENS,
    &gen_ai_metrics::REASONING_TOKENS,
];

impl Series for ModelSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        let [operation] = labels.first_values();
        Self {
            operations: Operations::of(operation),
            labels,
            durations: Durations::new(buckets),
            first_chunk: OnceLock::new(),
            tokens: [const { AtomicU64::new(0) }; TOKEN_COUNTERS],
            known: AtomicU8::new(0),
            embedded: TokenCounts::default(),
        }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl ModelSeries {
    fn find(operation: &'static str, call: &Labels) -> &'static Self {
        let [provider, model] = call.first_values();
        let (Found::Own(series) | Found::Overflow(series)) = MODELS.find(&[operation, provider, model]);
        series
    }

    /// Counts the tokens of a call. A call without usage counts as 0, so that its model is seen all the same.
    fn add(&self, usage: &Usage) {
        let mut counts = [
            usage.input_tokens(),
            usage.output_tokens(),
            usage.cached_input_tokens(),
            usage.cache_write_input_tokens(),
            usage.reasoning_output_tokens(),
        ];
        if let [input @ None, output @ None, ..] = &mut counts {
            (*input, *output) = (Some(0), Some(0));
        }
        for (place, tokens) in counts.into_iter().enumerate() {
            if let Some(tokens) = tokens {
                add_saturating(&self.tokens[place], tokens);
                self.known.fetch_or(1 << place, Ordering::Release);
            }
        }
    }

    /// The tokens counted in one of [`TOKEN_METRICS`], if any were reported.
    pub(super) fn tokens(&self, place: usize) -> Option<u64> {
        let is_known = self.known.load(Ordering::Acquire) >> place & 1 == 1;
        is_known.then(|| self.tokens[place].load(Ordering::Relaxed))
    }

    pub(super) fn first_chunk(&self) -> Option<&Histogram> {
        self.first_chunk.get()
    }
}

/// The calls of one agent or skill.
pub(super) struct NamedSeries {
    labels: Labels,
    pub(super) durations: Durations,
}

impl Series for NamedSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        Self { labels, durations: Durations::new(buckets) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl NamedSeries {
    fn find(family: &'static Family<Self>, name: &str) -> &'static Self {
        let (Found::Own(series) | Found::Overflow(series)) = family.find(&[name]);
        series
    }
}

/// Durations by the type of the error.
pub(super) struct Durations {
    buckets: &'static Buckets,
    success: Histogram,
    /// Their number is bounded: the types are literals of the program, or labels of a family.
    failed: RwLock<Vec<(&'static str, Histogram)>>,
}

impl Durations {
    fn new(buckets: &'static Buckets) -> Self {
        Self { buckets, success: Histogram::new(buckets), failed: RwLock::default() }
    }

    /// Records a call that ended in an error of that type, or without one if the type is empty.
    fn record(&self, error_type: &'static str, nanos: u64) {
        let stripe = Stripe::of_this_thread();
        if error_type.is_empty() {
            return self.success.record_fully(stripe, nanos);
        }
        let find = |failed: &[(&'static str, Histogram)]| {
            let found = failed.iter().find(|(known, _)| *known == error_type);
            found.map(|(_, histogram)| histogram.record_fully(stripe, nanos)).is_some()
        };
        if find(&self.failed.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut failed = self.failed.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it in between.
        if !find(&failed) {
            let histogram = Histogram::unstriped(self.buckets);
            histogram.record_fully(stripe, nanos);
            failed.push((error_type, histogram));
        }
    }

    /// Passes each type of error with its durations to `look`; the type is empty for calls without an error.
    pub(super) fn each(&self, mut look: impl FnMut(&'static str, &Histogram)) {
        look("", &self.success);
        let failed = self.failed.read().unwrap_or_else(PoisonError::into_inner);
        failed.iter().for_each(|(error_type, histogram)| look(error_type, histogram));
    }
}

/// A histogram of tokens, which are no durations.
#[derive(Default)]
pub(super) struct TokenCounts(Mutex<TokensRead>);

/// The numbers of a histogram of tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct TokensRead {
    pub(super) count: u64,
    pub(super) sum: u64,
    /// The count of each bucket, the last one without a bound; empty before the first call.
    pub(super) buckets: Vec<u64>,
}

impl TokenCounts {
    #[allow(clippy::cast_precision_loss, reason = "a count above 2^53 is beyond the last bound")]
    fn record(&self, tokens: u64) {
        let bounds = gen_ai_metrics::EMBEDDINGS_TOKENS.bounds;
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.buckets.resize(bounds.len() + 1, 0);
        read.buckets[bounds.partition_point(|bound| *bound < tokens as f64)] += 1;
        read.count += 1;
        read.sum = read.sum.saturating_add(tokens);
    }

    pub(super) fn read(&self) -> TokensRead {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A model call that is about to end.
#[derive(Clone, Copy)]
struct Replied {
    series: &'static ModelSeries,
    input: Option<u64>,
}

/// A call that ended as an error whose type is not known yet.
struct Waiting {
    id: CallId,
    /// `None` for queries, which are no part of these conventions.
    durations: Option<&'static Durations>,
    nanos: u64,
    error_type: &'static str,
}

/// Records calls as they end.
struct Recorder;

impl Observer for Recorder {
    fn model_replied(&self, call: &ModelReplied<'_>) {
        let series = ModelSeries::find(call.operation, &call.series.labels);
        let usage = &call.ended.report.usage;
        if series.operations == Operations::Inference {
            series.add(usage);
        }
        let _ =
            REPLIED.try_with(|replied| replied.set(Some(Replied { series, input: usage.input_tokens() })));
    }

    fn usage_found(&self, call: &ModelReplied<'_>) {
        let series = ModelSeries::find(call.operation, &call.series.labels);
        if series.operations == Operations::Inference {
            series.add(&call.ended.report.usage);
        }
    }

    fn call_ended(&self, call: &CallEnded<'_>) {
        let durations = match call.kind {
            CallKind::Agent => Some(&NamedSeries::find(&AGENTS, call.series.id()).durations),
            CallKind::Skill => Some(&NamedSeries::find(&TOOLS, call.series.id()).durations),
            CallKind::Query => None,
            CallKind::Model => model_ended(call.outcome),
        };
        let error_type = match (call.outcome, untype(call)) {
            (Outcome::Success, _) => "",
            (Outcome::Panic, _) => error::PANIC,
            (Outcome::Cancelled, _) => error::CANCELLED,
            (Outcome::Error, Some(error_type)) => error_type,
            (Outcome::Error, None) => {
                let waiting = Waiting { id: call.id, durations, nanos: call.nanos, error_type: error::OTHER };
                let _ = WAITING.try_with(|all| all.borrow_mut().push(waiting));
                return;
            }
        };
        if let Some(durations) = durations {
            durations.record(error_type, call.nanos);
        }
    }

    fn error_typed(&self, call: CallId, _: Option<&Span>, error_type: &'static str) {
        let is_waiting = WAITING.try_with(|all| {
            let mut all = all.borrow_mut();
            let found = all.iter_mut().rev().find(|waiting| waiting.id == call);
            found.map(|waiting| waiting.error_type = error_type).is_some()
        });
        if is_waiting == Ok(false) {
            typed().get_or_insert_default().insert(call, error_type);
        }
    }

    fn call_concluded(&self, call: CallId) {
        let waited = WAITING.try_with(|all| {
            let mut all = all.borrow_mut();
            let place = all.iter().rposition(|waiting| waiting.id == call)?;
            Some(all.remove(place))
        });
        if let Ok(Some(Waiting { durations: Some(durations), nanos, error_type, .. })) = waited {
            durations.record(error_type, nanos);
        }
    }

    fn first_item_yielded(&self, item: &FirstItem<'_>) {
        if item.kind == CallKind::Model {
            let series = ModelSeries::find(item.operation, &item.series.labels);
            let buckets = series.durations.buckets;
            let histogram = series.first_chunk.get_or_init(|| Histogram::new(buckets));
            histogram.record_fully(Stripe::of_this_thread(), item.nanos);
        }
    }

    fn error_bytes(&self, _: CallId, _: Option<&Span>) -> usize {
        0
    }

    fn call_failed(&self, _: CallId, _: Option<&Span>, _: &ErrorText) {}

    fn request_routed(&self, _: &Span, _: &str, _: &str) {}

    fn request_ended(&self, _: Option<&Span>, _: u16, _: u64) {}
}

/// Takes the model call that has just replied. Without a reply there was no call.
fn model_ended(outcome: Outcome) -> Option<&'static Durations> {
    let Replied { series, input } = REPLIED.try_with(Cell::take).ok().flatten()?;
    if let (Operations::Embeddings, Outcome::Success, Some(input)) = (series.operations, outcome, input) {
        series.embedded.record(input);
    }
    Some(&series.durations)
}

fn typed() -> MutexGuard<'static, Option<HashMap<CallId, &'static str>>> {
    TYPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the type of the error that an item of the call's stream was. Such a call is no success.
fn untype(call: &CallEnded<'_>) -> Option<&'static str> {
    if call.outcome == Outcome::Success {
        return None;
    }
    typed().as_mut()?.remove(&call.id)
}
