//! Counts the calls of a run that has details, on their own threads, and tells the user what has come of it.

use std::num::NonZeroU32;

use super::budget::{BudgetExceeded, Finding, ModelUse};
use super::live;
use super::remark::Remark;
use super::repeats::{LOOP, Repeat};
use crate::call::ModelEnded;
use crate::call::call_id::CallId;
use crate::call::observer::CallBegun;
use crate::cells::clock;
use crate::families::{CallKind, Outcome, runs};
use crate::usage::Cost;

/// Remarks for the recorder, each with its call.
type Remarks = Vec<(CallId, Remark)>;

/// Counts a call that has begun in a run, or has begun it.
#[cold]
pub(super) fn begin(run: NonZeroU32, id: CallId, call: &CallBegun<'_>, is_outermost: bool) -> Remarks {
    let parent = (!is_outermost).then(|| call.parent.number());
    // Arguments are compared only while there is room for their hashes.
    let call = &CallBegun { arguments: call.arguments.filter(|_| live::has_room()), ..*call };
    let begun = if call.budget.is_some() || call.arguments.is_some() {
        live::add_details(run, |details| details.begin(id.number(), parent, call))
    } else {
        live::with_details(run, |details| details.begin(id.number(), parent, call))
    };
    let Some((found, repeat)) = begun else { return Remarks::new() };
    let mut remarks = tell(run, found);
    if let Some(repeat) = repeat {
        remarks.push((id, Remark::Repeat(repeat.calls)));
        tell_repeat(call, repeat);
    }
    remarks
}

/// Counts what a model call of the run has used.
#[cold]
pub(super) fn model_ended(run: NonZeroU32, id: CallId, model: &ModelEnded) -> Remarks {
    let usage = &model.report.usage;
    let tokens = [usage.input_tokens(), usage.output_tokens()];
    let used = ModelUse {
        cost_nanos: model.cost.map(Cost::nanos),
        tokens: tokens.into_iter().flatten().fold(0, u64::saturating_add),
        knows_tokens: tokens.iter().all(Option::is_some),
    };
    let found =
        live::with_details(run, |details| details.meters.model_ended(id.number(), used, clock::now()));
    tell(run, found.unwrap_or_default())
}

/// Takes back a model call of the run.
#[cfg(feature = "logging")]
#[cold]
pub(super) fn withdraw(run: NonZeroU32, id: CallId) {
    live::with_details(run, |details| details.meters.withdraw(id.number(), clock::now()));
}

/// Counts the end of a call of the run.
#[cold]
pub(super) fn end(run: NonZeroU32, id: CallId, outcome: Outcome) -> Remarks {
    let found = live::with_details(run, |details| {
        details.repeats.end(id.number(), outcome);
        details.meters.end(id.number(), clock::now())
    });
    tell(run, found.unwrap_or_default())
}

/// Looks at the budgets of a run in which nothing may begin or end for long.
pub(super) fn look(run: NonZeroU32) -> Remarks {
    let found = live::with_details(run, |details| details.meters.look(clock::now()));
    tell(run, found.unwrap_or_default())
}

/// Whether a budget around the call is used up.
pub(super) fn check(run: NonZeroU32, id: CallId) -> (Result<(), BudgetExceeded>, Remarks) {
    let checked = live::with_details(run, |details| details.meters.check(id.number(), clock::now()));
    match checked {
        Some((result, found)) => (result, tell(run, found)),
        None => (Ok(()), Remarks::new()),
    }
}

/// Logs and counts the findings. No lock is held meanwhile, since a subscriber may call tracked functions.
fn tell(run: NonZeroU32, found: Vec<Finding>) -> Remarks {
    let remark = |finding: Finding| {
        finding.warn();
        let Finding { owner, agent, limit, is_unverifiable, .. } = finding;
        let remark = if is_unverifiable {
            Remark::Unverifiable(limit)
        } else {
            runs::count_exceeded(agent, limit.as_str());
            Remark::Passed(limit)
        };
        (CallId::followed(run.get(), owner), remark)
    };
    found.into_iter().map(remark).collect()
}

fn tell_repeat(call: &CallBegun<'_>, Repeat { calls, is_first_loop }: Repeat) {
    if calls < LOOP {
        return;
    }
    let name = call.series.id();
    if call.kind == CallKind::Skill {
        runs::count_repeat(name);
    }
    if is_first_loop {
        tracing::warn!(
            target: "monitor_runtime::run",
            name,
            calls,
            "a run repeats a call with the same arguments, although earlier ones have succeeded"
        );
    }
}
