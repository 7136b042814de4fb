//! The reply of a model call in a run: its usage, its cost, and the sums over several calls.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::text::shortened;
use crate::call::ModelEnded;
use crate::usage::{Cost, CostSum, Usage, UsageSum};

/// The maximum size of the name of a model that replied, and of the reason of its end, in bytes.
const MOST_NAME_BYTES: usize = 256;

/// What is known of a model call at its end.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) usage: Usage,
    pub(super) cost: Option<Cost>,
    /// The provider and the requested model, if the labels have no room for them.
    pub(super) requested: Option<[Box<str>; 2]>,
    pub(super) model: Option<Box<str>>,
    pub(super) finish_reason: Option<Box<str>>,
    pub(super) is_refusal: bool,
    pub(super) retries: u32,
    pub(super) backoff: Duration,
}

impl Reply {
    pub(super) fn new(ended: &ModelEnded) -> Self {
        let report = &ended.report;
        let text = |text: &Option<Box<str>>| text.as_deref().map(|text| shortened(text, MOST_NAME_BYTES));
        Self {
            usage: report.usage,
            cost: ended.cost,
            requested: report
                .requested
                .as_ref()
                .map(|names| names.each_ref().map(|name| shortened(name, MOST_NAME_BYTES))),
            model: text(&report.model),
            finish_reason: text(&report.finish_reason),
            is_refusal: report.is_refusal,
            retries: report.retries,
            backoff: report.backoff,
        }
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.model, &self.finish_reason].into_iter().flatten();
        size_of::<Self>() + texts.chain(self.requested.iter().flatten()).map(|text| text.len()).sum::<usize>()
    }
}

/// The usage and the cost of several model calls that have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(super) usage: UsageSum,
    pub(super) cost: CostSum,
}

impl Sums {
    pub(super) fn add(&mut self, reply: &Reply) {
        self.usage.add(&reply.usage);
        self.cost.add(reply.cost);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.usage.merge(&other.usage);
        self.cost.merge(&other.cost);
    }

    /// The sums if there were this many calls, of which the missing ones have reported nothing.
    pub(super) fn of_calls(self, calls: u64) -> Self {
        Self { usage: self.usage.of_calls(calls), cost: self.cost.of_calls(calls) }
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usage, cost } = self;
        // Calls without usage seldom have a cost, which need not be said twice.
        if usage.unknown_calls() < usage.calls() || cost.priced_calls() > 0 {
            write!(f, "{usage}, {cost}")
        } else {
            write!(f, "{usage}")
        }
    }
}

/// What the model calls of each run that goes on have used so far, for the code inside the run.
#[derive(Debug, Default)]
pub(super) struct Spent(HashMap<NonZeroU32, Sums, RandomState>);

impl Spent {
    pub(super) fn add(&mut self, run: NonZeroU32, reply: &Reply) {
        self.0.entry(run).or_default().add(reply);
    }

    pub(super) fn of(&self, run: NonZeroU32) -> Sums {
        self.0.get(&run).copied().unwrap_or_default()
    }

    /// Forgets the runs that do not go on. Returns the bytes of the rest.
    pub(super) fn retain(&mut self, goes_on: impl Fn(NonZeroU32) -> bool) -> usize {
        self.0.retain(|run, _| goes_on(*run));
        if self.0.capacity() > 4 * self.0.len() {
            self.0.shrink_to(2 * self.0.len());
        }
        // A hash map has a byte for each entry besides the entry.
        self.0.capacity() * (size_of::<(NonZeroU32, Sums)>() + 1)
    }
}
