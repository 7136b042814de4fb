//! Counts what a model call reported, once, when it ends.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::agent_number::AgentNumber;
use super::extras::ModelNames;
use super::reply::Report;
use crate::families::CallKind;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;
use crate::families::family::Found;
use crate::families::models::{self, UnknownUsage};
use crate::prices::{self, Priced, PricedCall, Unpriced};
use crate::usage::{Cost, Flaw, Flaws, Usage};

/// A model call that ended, as observers see it.
#[derive(Debug)]
pub(crate) struct ModelEnded {
    /// Its report; the usage obeys the contract.
    pub(crate) report: Report,
    /// The cost, if it was reported or computed.
    pub(crate) cost: Option<Cost>,
}

impl ModelEnded {
    /// Whether anything is known of its tokens or its cost.
    pub(super) fn has_usage(&self) -> bool {
        !self.report.usage.is_unknown() || self.cost.is_some()
    }
}

/// Finds the series of a model. An empty text is unknown, since Prometheus treats an empty label as a missing one.
pub(super) fn find_model(provider: &str, model: &str) -> Found<CallSeries> {
    let found = CallKind::Model.family().series.find(&[provider, model].map(or_unknown));
    // The end of a model call counts its usage.
    let (Found::Own(series) | Found::Overflow(series)) = &found;
    let is_new = series.record_slowly();
    if is_new && matches!(found, Found::Own(_)) {
        models::prepare(series.labels.first_values());
    }
    found
}

pub(super) fn or_unknown(given: &str) -> &str {
    if given.is_empty() { "unknown" } else { given }
}

/// Like [`find_model`], with the names if the series has no room for them. Labels are bounded; prices need the names.
pub(super) fn find_named(provider: &str, model: &str) -> (&'static CallSeries, Option<ModelNames>) {
    match find_model(provider, model) {
        Found::Own(series) => (series, None),
        Found::Overflow(series) => (series, Some([provider, model].map(|given| or_unknown(given).into()))),
    }
}

/// Counts the usage of a model call for the innermost agent, or the reason why it is not known.
pub(super) fn count(
    series: &'static CallSeries,
    agent: AgentNumber,
    mut report: Report,
    outcome: Outcome,
    items: u32,
) -> ModelEnded {
    let labels: [&'static str; 2] = series.labels.first_values();
    let [provider, model] = report.names(labels);
    let (usage, flaws) = report.usage.corrected();
    if !flaws.is_empty() {
        models::count_corrected(labels);
        warn_of_flaws(labels, [provider, model], flaws);
    }
    let price = || {
        let cost = find_price(labels, [provider, model], &report, usage)?;
        // Tokens are missing from it, those of a dropped count among them.
        let is_partial = usage.input_tokens().is_none() || usage.output_tokens().is_none();
        Some(if is_partial || flaws.contains(Flaw::Count) { cost.estimated() } else { cost })
    };
    let cost = usage.cost().or_else(|| if usage.is_unknown() { None } else { price() });
    if usage.is_unknown() {
        models::count_unknown(labels, reason(outcome, items));
    }
    if !usage.is_unknown() || cost.is_some() {
        models::count_usage(&[agent.id(), labels[0], labels[1]], &usage, cost);
    }
    report.usage = usage;
    ModelEnded { report, cost }
}

/// Ends a model call whose usage another call has counted. Of its own it has used nothing, which is known.
pub(super) fn counted_before(report: Report) -> ModelEnded {
    ModelEnded { report: Report { usage: Usage::new(0, 0), ..report }, cost: Some(Cost::from_nano_usd(0)) }
}

/// Names a model whose calls report a flawed usage, once for each flaw.
#[cold]
fn warn_of_flaws(labels: [&'static str; 2], [provider, model]: [&str; 2], flaws: Flaws) {
    static NAMED: Mutex<BTreeSet<([&str; 2], Flaw)>> = Mutex::new(BTreeSet::new());
    for flaw in flaws.iter() {
        let advice = match flaw {
            Flaw::Count => "a model call reported more than 10^12 tokens; the count was dropped",
            Flaw::Cost => {
                "a model call reported a cost that is negative, not a number or above a million dollars; \
                 the cost was dropped"
            }
            Flaw::Cache => {
                "the usage that the model call reported contradicts itself and was corrected; \
                 use `Usage::beside_cache` if the input does not contain the cached tokens"
            }
            Flaw::Reasoning => {
                "the usage that the model call reported contradicts itself and was corrected; \
                 add the tokens of reasoning to the output if it does not contain them"
            }
        };
        // The labels are those of series, so their number is bounded.
        if NAMED.lock().unwrap_or_else(PoisonError::into_inner).insert((labels, flaw)) {
            tracing::warn!(target: "monitor_runtime::genai", provider, model, "{advice}");
        }
    }
}

/// The cost by the prices of the process. A model that they do not price is named once for each reason.
fn find_price(
    labels: [&'static str; 2],
    [provider, model]: [&str; 2],
    report: &Report,
    usage: Usage,
) -> Option<Cost> {
    let response_model = report.model.as_deref();
    let call = PricedCall { provider, request_model: model, response_model, usage, ended: SystemTime::now() };
    match prices::price(&call, labels) {
        Priced::At(cost) => return Some(cost),
        Priced::Without | Priced::Not { is_first: false, .. } => {}
        Priced::Not { reason, is_first: true } => {
            let cause = match reason {
                Unpriced::Missing => "the prices lack a model",
                Unpriced::Excessive => "the prices gave a cost above a million dollars, which is none",
                Unpriced::Panicked => "the prices panicked",
            };
            tracing::warn!(
                target: "monitor_runtime::genai",
                provider,
                model,
                response_model,
                "{cause}; its tokens count in model_unpriced_tokens_total"
            );
        }
    }
    None
}

fn reason(outcome: Outcome, items: u32) -> UnknownUsage {
    match outcome {
        Outcome::Success => UnknownUsage::NoUsage,
        Outcome::Error | Outcome::Panic => UnknownUsage::Failed,
        Outcome::Cancelled if items > 0 => UnknownUsage::StreamCut,
        Outcome::Cancelled => UnknownUsage::Cancelled,
    }
}
