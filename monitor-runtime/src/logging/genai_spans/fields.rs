//! The fields of model calls, under all names that crates give them.

use std::fmt::Debug;
use std::time::Duration;

use tracing::field::{Field, Visit};

use crate::call::foreign_call::{Facts, Operation};

/// The fact that a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Operation,
    Provider,
    Model,
    Input,
    Output,
    Cached,
    CacheWrite,
    Reasoning,
    ResponseModel,
    ResponseId,
    FinishReasons,
    FirstChunk,
    ErrorType,
    Status,
}

/// The names of fields. The first one of each fact is that of the conventions today.
///
/// All of these crates count the cache inside the input. Should one not do so, its input is smaller than the tokens of the
/// cache, and is corrected as that of any model call.
const FIELDS: [(&str, Fact); 30] = [
    ("gen_ai.operation.name", Fact::Operation),
    ("gen_ai.provider.name", Fact::Provider),
    ("gen_ai.system", Fact::Provider),
    ("gen_ai.request.model", Fact::Model),
    ("gen_ai.usage.input_tokens", Fact::Input),
    ("gen_ai.usage.prompt_tokens", Fact::Input),
    ("gen_ai.usage.output_tokens", Fact::Output),
    ("gen_ai.usage.completion_tokens", Fact::Output),
    ("gen_ai.usage.cache_read.input_tokens", Fact::Cached),
    ("gen_ai.usage.cache_read_tokens", Fact::Cached),
    ("gen_ai.usage.cache_read_input_tokens", Fact::Cached),
    ("gen_ai.usage.cached_input_tokens", Fact::Cached),
    ("gen_ai.usage.cached_tokens", Fact::Cached),
    ("gen_ai.usage.cache_write.input_tokens", Fact::CacheWrite),
    ("gen_ai.usage.cache_creation.input_tokens", Fact::CacheWrite),
    ("gen_ai.usage.cache_creation_tokens", Fact::CacheWrite),
    ("gen_ai.usage.cache_creation_input_tokens", Fact::CacheWrite),
    ("gen_ai.usage.cache_write_tokens", Fact::CacheWrite),
    ("gen_ai.usage.reasoning.output_tokens", Fact::Reasoning),
    ("gen_ai.usage.reasoning_output_tokens", Fact::Reasoning),
    ("gen_ai.usage.reasoning_tokens", Fact::Reasoning),
    ("gen_ai.usage.thinking_tokens", Fact::Reasoning),
    ("codex.usage.reasoning_output_tokens", Fact::Reasoning),
    ("gen_ai.response.model", Fact::ResponseModel),
    ("gen_ai.response.id", Fact::ResponseId),
    ("gen_ai.response.finish_reasons", Fact::FinishReasons),
    ("gen_ai.response.finish_reason", Fact::FinishReasons),
    ("gen_ai.response.time_to_first_chunk", Fact::FirstChunk),
    ("error.type", Fact::ErrorType),
    ("otel.status_code", Fact::Status),
];

impl Fact {
    /// The fact that a field of this name holds.
    pub(super) fn of(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact)
    }
}

/// The operations that are one call of a model, with their names in the conventions. `rig` up to 0.42 had the last three.
const MODEL_CALLS: [(&str, &str); 7] = [
    ("chat", "chat"),
    ("generate_content", "generate_content"),
    ("text_completion", "text_completion"),
    ("embeddings", "embeddings"),
    ("chat_streaming", "chat"),
    ("interactions", "chat"),
    ("interactions_streaming", "chat"),
];

/// The operation of this name.
fn operation(name: &str) -> Operation {
    let found = MODEL_CALLS.iter().find(|(known, _)| *known == name);
    found.map_or(Operation::Other, |(_, operation)| Operation::ModelCall(operation))
}

/// Collects the facts that values hold. Other values are not even formatted.
#[derive(Debug)]
pub(super) struct FactsVisitor<'f>(pub(super) &'f mut Facts);

impl FactsVisitor<'_> {
    fn count(&mut self, fact: Fact, tokens: u64) {
        let usage = &mut self.0.report.usage;
        *usage = match fact {
            Fact::Input => usage.input(tokens),
            Fact::Output => usage.output(tokens),
            Fact::Cached => usage.cached(tokens),
            Fact::CacheWrite => usage.cache_write(tokens),
            Fact::Reasoning => usage.reasoning(tokens),
            _ => return,
        };
        self.0.has_reply = true;
    }

    /// A negative number is no number of tokens, which [`Usage`](crate::usage::Usage) is told by one that is too large.
    fn number(&mut self, field: &Field, number: Option<u64>) {
        if let Some(fact) = Fact::of(field.name()) {
            self.count(fact, number.unwrap_or(u64::MAX));
        }
    }

    fn text(&mut self, fact: Fact, text: &str) {
        if text.is_empty() {
            return;
        }
        let facts = &mut *self.0;
        match fact {
            Fact::Operation => facts.operation = Some(operation(text)),
            Fact::Provider => facts.provider = Some(text.into()),
            Fact::Model => facts.model = Some(text.into()),
            Fact::ResponseModel => facts.report.model = Some(text.into()),
            Fact::FinishReasons => facts.report.finish_reason = Some(first_reason(text).into()),
            Fact::ErrorType => facts.error = Some(text.into()),
            // It does not replace the type of the error.
            Fact::Status if text.eq_ignore_ascii_case("error") => {
                facts.error.get_or_insert_default();
            }
            Fact::ResponseId | Fact::Status | Fact::FirstChunk => {}
            Fact::Input | Fact::Output | Fact::Cached | Fact::CacheWrite | Fact::Reasoning => {
                if let Ok(tokens) = text.parse() {
                    self.count(fact, tokens);
                }
            }
        }
        self.0.has_reply |= matches!(fact, Fact::ResponseModel | Fact::ResponseId | Fact::FinishReasons);
    }
}

/// The first of a list of reasons such as `["stop"]`; a text that is no list is the reason.
fn first_reason(text: &str) -> &str {
    let first = text.trim_start_matches('[').trim_end_matches(']').split(',').next().unwrap_or_default();
    first.trim().trim_matches('"')
}

impl Visit for FactsVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if Fact::of(field.name()) == Some(Fact::FirstChunk) {
            self.0.first_chunk = Duration::try_from_secs_f64(value).ok();
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, u64::try_from(value).ok());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, Some(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, u64::try_from(value).ok());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, u64::try_from(value).ok());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(fact) = Fact::of(field.name()) {
            self.text(fact, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if let Some(fact) = Fact::of(field.name()) {
            let text = format!("{value:?}");
            self.text(fact, text.trim_matches('"'));
        }
    }
}
