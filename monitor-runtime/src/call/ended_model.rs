//! The end of a tracked model call: its usage is counted by itself, by a call inside, or by one around.
//!
//! ```text
//! reports usage                     counted; the tracked call around it adds none
//! a tracked call inside reported    nothing to count: its own reply repeats that usage
//! reports none, inside a span       kept by the span's call, and counted by its report when the span closes
//! reports none                      counted as unknown
//! ```
//!
//! A framework that opens a span around a tracked call records the usage when it has the reply, which is after the end of the
//! tracked call.

use super::agent_number::AgentNumber;
use super::call_id::CallId;
use super::enclosing_model::{Ended, Silent};
use super::model_usage::{self, ModelEnded};
use super::observer::{self, ModelReplied};
use super::reply::Report;
use super::settings::FETCH_RESPONSE;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;
use crate::usage::Usage;

/// A tracked model call that has ended.
#[derive(Debug)]
pub(super) struct EndedModel {
    pub(super) id: CallId,
    pub(super) operation: &'static str,
    pub(super) series: &'static CallSeries,
    pub(super) agent: AgentNumber,
    pub(super) report: Report,
    pub(super) outcome: Outcome,
    /// Items that its stream has yielded.
    pub(super) items: u32,
    pub(super) inside: Ended,
}

impl EndedModel {
    /// Counts the usage. Returns the end as observers see it, and whether the usage may be found later.
    pub(super) fn settle(mut self) -> (ModelEnded, bool) {
        let inner = std::mem::take(&mut self.inside.inner);
        if self.inside.is_counted {
            // It repeats that of the tracked call inside.
            self.report.usage = Usage::default();
        }
        self.report = std::mem::take(&mut self.report).completed(inner);
        if self.operation == FETCH_RESPONSE {
            return (model_usage::counted_before(self.report), false);
        }
        if self.inside.is_counted && self.report.usage.is_unknown() {
            self.inside.note_counted();
            return (model_usage::counted_before(self.report), false);
        }
        match self.keep() {
            Ok(report) => (ModelEnded { report, cost: None }, true),
            Err(call) => (call.count(), false),
        }
    }

    /// Leaves a call without usage to the call around it that another crate tracks. Returns its report, or the call if there
    /// is no other one to count it.
    fn keep(mut self) -> Result<Report, Box<Self>> {
        let around = if self.report.usage.is_empty() { self.inside.take_around() } else { None };
        let Some(around) = around else { return Err(Box::new(self)) };
        let report = self.report.clone();
        let mut call = Some(Box::new(self));
        around.keep(&mut || call.take().map(|call| call as Box<dyn Silent>));
        call.map_or(Ok(report), Err)
    }

    fn count(self) -> ModelEnded {
        let ended = model_usage::count(self.series, self.agent, self.report, self.outcome, self.items);
        if ended.has_usage() {
            self.inside.note_counted();
        }
        ended
    }
}

impl Silent for EndedModel {
    fn count_by(mut self: Box<Self>, around: Report) {
        let Self { id, operation, series, .. } = *self;
        self.report = std::mem::take(&mut self.report).completed(around);
        let ended = self.count();
        let replied = ModelReplied { id, operation, series, span: None, ended: &ended, is_kept: false };
        observer::notify(|observer| observer.usage_found(&replied));
    }
}
