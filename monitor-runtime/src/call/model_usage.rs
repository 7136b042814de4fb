//! Counts what a model call reported, once, when it ends.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::place::AgentNumber;
use super::reply::Report;
use crate::families::CallKind;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;
use crate::families::family::Found;
use crate::families::models::{self, UnknownUsage};
use crate::prices::{self, Priced};
use crate::usage::Cost;

/// A model call that ended, as observers see it.
#[derive(Debug)]
pub(crate) struct ModelEnded {
    /// What it reported until then; the usage obeys the contract.
    pub(crate) report: Report,
    /// The cost, if it was reported or computed.
    pub(crate) cost: Option<Cost>,
}

/// Finds the series of a model. An empty text is unknown, since Prometheus treats an empty label as a missing one.
pub(super) fn find_model(provider: &str, model: &str) -> Found<CallSeries> {
    let labels = [provider, model].map(|given| if given.is_empty() { "unknown" } else { given });
    let found = CallKind::Model.family().series.find(&labels);
    // The end of a model call counts its usage.
    let (Found::Own(series) | Found::Overflow(series)) = &found;
    series.record_slowly();
    found
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
    let [provider, model] = labels;
    let (usage, is_corrected) = report.usage.corrected();
    report.usage = usage;
    if is_corrected && models::count_corrected(labels) {
        tracing::warn!(
            target: "monitor_runtime::genai",
            provider,
            model,
            "the usage that the model call reported contradicts itself and was corrected; \
             use `Usage::beside_cache` if the input does not contain the cached tokens"
        );
    }
    let mut cost = None;
    if usage.is_unknown() {
        models::count_unknown(labels, reason(outcome, items));
    } else {
        cost = usage.cost().or_else(|| find_price(labels, &report));
        models::count_usage(&[agent.id(), provider, model], &usage, cost);
    }
    ModelEnded { report, cost }
}

/// The cost by the prices of the process. A model that they lack is named once.
fn find_price(labels: [&'static str; 2], report: &Report) -> Option<Cost> {
    static NAMED: Mutex<BTreeSet<[&str; 2]>> = Mutex::new(BTreeSet::new());
    let [provider, model] = labels;
    match prices::price(provider, model, report.model.as_deref(), report.usage) {
        Priced::At(cost) => Some(cost),
        Priced::Without => None,
        Priced::Missing => {
            // The labels are those of series, so their number is bounded.
            let is_first = NAMED.lock().unwrap_or_else(PoisonError::into_inner).insert(labels);
            if is_first {
                tracing::warn!(
                    target: "monitor_runtime::genai",
                    provider,
                    model,
                    response_model = report.model.as_deref(),
                    "the prices lack a model; its tokens count in model_unpriced_tokens_total"
                );
            }
            None
        }
    }
}

fn reason(outcome: Outcome, items: u32) -> UnknownUsage {
    match outcome {
        Outcome::Success => UnknownUsage::NoUsage,
        Outcome::Error | Outcome::Panic => UnknownUsage::Failed,
        Outcome::Cancelled if items > 0 => UnknownUsage::StreamCut,
        Outcome::Cancelled => UnknownUsage::Cancelled,
    }
}
