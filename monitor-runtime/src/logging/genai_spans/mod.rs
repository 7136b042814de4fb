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

use crate::call::foreign_call::{Declared, Facts, ForeignCall, Operation};
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
        && (declares(metadata, &[Fact::Operation]) || named_operation(metadata).is_some())
        // A tracked function may have the fields as well.
        && !is_tracked(&metadata.callsite())
}

fn declares(metadata: &Metadata<'_>, facts: &[Fact]) -> bool {
    metadata.fields().iter().filter_map(|field| Fact::of(field.name())).any(|fact| facts.contains(&fact))
}

/// The names of spans that need not name their operation, with the operation. Those of `genai` and of `adk` are among them.
const NAMES: [(&str, &str); 8] = [
    ("chat", "chat"),
    ("generate_content", "generate_content"),
    ("text_completion", "text_completion"),
    ("embeddings", "embeddings"),
    ("genai.chat", "chat"),
    ("genai.embeddings", "embeddings"),
    ("gen_ai.generate", "chat"),
    ("stream_request", "chat"),
];

/// The operation that the name of the span tells; the conventions name a span `chat gpt-5`.
fn named_operation(metadata: &Metadata<'_>) -> Option<&'static str> {
    let name = metadata.name();
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, operation)| *operation).or_else(|| name.starts_with("chat ").then_some("chat"))
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
    facts.operation = facts.operation.or_else(|| named_operation(metadata).map(Operation::ModelCall));
    let declared = Declared {
        provider: declares(metadata, &[Fact::Provider]),
        error: declares(metadata, &[Fact::ErrorType, Fact::Status]),
    };
    (facts.operation != Some(Operation::Other)).then(|| ForeignCall::open(facts, declared, around()))
}

/// Passes the values that were recorded on a span to its call.
pub(super) fn record(call: &ForeignCall, values: &Record<'_>) {
    let mut facts = Facts::default();
    values.record(&mut FactsVisitor(&mut facts));
    call.record(facts);
}
