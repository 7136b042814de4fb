//! The spans that other crates open for their model calls, read as calls.
//!
//! A crate such as `rig` or `genai` puts the fields `gen_ai.…` of OpenTelemetry's conventions on a span of its own. Such a span
//! is recognized by its callsite, once: it declares a field for the tokens of the input or the output, and it is for one call
//! of a model and not for an agent's run, which repeats the sums of its calls. Spans of other callsites are never visited.

mod fields;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Metadata;
use tracing::span::{Attributes, Record};

use crate::call::foreign_call::{Declared, Facts, ForeignCall};
use crate::call::is_tracked;
use fields::{Fact, FactsVisitor};

/// Whether the process has such a callsite, which each subscriber hears of before its first span.
static HAS_ANY: AtomicBool = AtomicBool::new(false);

/// Whether any span can be one of another crate's model calls; one load.
#[inline]
pub(super) fn are_there() -> bool {
    HAS_ANY.load(Ordering::Relaxed)
}

/// Notes a callsite that registers itself.
pub(super) fn note(metadata: &Metadata<'_>) {
    if is_callsite(metadata) {
        HAS_ANY.store(true, Ordering::Relaxed);
    }
}

/// Whether the spans of the callsite may be those of another crate's model calls.
pub(super) fn is_callsite(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && declares(metadata, &[Fact::Input, Fact::Output])
        && (declares(metadata, &[Fact::Operation]) || is_named_as_call(metadata))
        // A tracked function may have the fields as well.
        && !is_tracked(&metadata.callsite())
}

fn declares(metadata: &Metadata<'_>, facts: &[Fact]) -> bool {
    metadata.fields().iter().filter_map(|field| Fact::of(field.name())).any(|fact| facts.contains(&fact))
}

/// The names of spans that need not name their operation. Those of `genai` and of `adk` are among them.
const NAMES: [&str; 8] = [
    "chat",
    "generate_content",
    "text_completion",
    "embeddings",
    "genai.chat",
    "genai.embeddings",
    "gen_ai.generate",
    "stream_request",
];

fn is_named_as_call(metadata: &Metadata<'_>) -> bool {
    NAMES.contains(&metadata.name()) || metadata.name().starts_with("chat ")
}

/// Opens the call of a span; `None` if the span is for another operation. `around` is the call of the next enclosing span that
/// has one.
pub(super) fn open(
    attributes: &Attributes<'_>,
    around: impl FnOnce() -> Option<Arc<ForeignCall>>,
) -> Option<Arc<ForeignCall>> {
    let metadata = attributes.metadata();
    let mut facts = Facts::default();
    attributes.record(&mut FactsVisitor(&mut facts));
    let is_named = is_named_as_call(metadata).then_some(true);
    facts.is_model_call = facts.is_model_call.or(is_named);
    let declared = Declared {
        provider: declares(metadata, &[Fact::Provider]),
        error: declares(metadata, &[Fact::ErrorType, Fact::Status]),
    };
    (facts.is_model_call != Some(false)).then(|| ForeignCall::open(facts, declared, around()))
}

/// Passes the values that were recorded on a span to its call.
pub(super) fn record(call: &ForeignCall, values: &Record<'_>) {
    let mut facts = Facts::default();
    values.record(&mut FactsVisitor(&mut facts));
    call.record(facts);
}
