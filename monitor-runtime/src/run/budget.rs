//! Budgets: what an agent call may use, the calls inside it included, and what it has used.
//!
//! Each agent call with a budget has a meter. A call inside it counts for that meter and for those around it. The meter of
//! a call is found by its number: calls without an entry count for the meter of the outermost call.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::text::map_bytes;
use crate::call::Budget;
use crate::cells::clock;
use crate::error_chain::debug_as_text;
use crate::families::CallKind;
use crate::usage::Cost;

/// A limit of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BudgetLimit {
    /// The cost of model calls, in billionths of a US dollar.
    Cost,
    /// The input and output tokens of model calls.
    Tokens,
    /// The model calls that have begun.
    ModelCalls,
    /// The skill calls that have begun.
    SkillCalls,
    /// The time since the begin of the agent call, in nanoseconds.
    Duration,
}

impl BudgetLimit {
    pub(crate) const ALL: [Self; 5] =
        [Self::Cost, Self::Tokens, Self::ModelCalls, Self::SkillCalls, Self::Duration];

    /// Returns the name of the limit, as the attribute's option `budget` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Tokens => "tokens",
            Self::ModelCalls => "model_calls",
            Self::SkillCalls => "skill_calls",
            Self::Duration => "duration",
        }
    }

    /// What the budget allows. `None` without a limit.
    fn allowed(self, budget: &Budget) -> Option<u64> {
        let allowed = match self {
            Self::Cost => budget.cost_nanos,
            Self::Tokens => budget.tokens,
            Self::ModelCalls => budget.model_calls,
            Self::SkillCalls => budget.skill_calls,
            Self::Duration => budget.duration_nanos,
        };
        (allowed > 0).then_some(allowed)
    }

    /// The amount in US dollars, seconds, tokens or calls.
    #[allow(clippy::cast_precision_loss, reason = "for people and their plots")]
    fn in_units(self, amount: u64) -> f64 {
        match self {
            Self::Cost | Self::Duration => amount as f64 / 1e9,
            Self::Tokens | Self::ModelCalls | Self::SkillCalls => amount as f64,
        }
    }
}

/// The error of an agent call that has used up its budget, returned by [`check_budget`](super::check_budget).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct BudgetExceeded {
    /// The agent whose budget is used up.
    pub agent: &'static str,
    /// The limit that is reached.
    pub limit: BudgetLimit,
    /// The amount that was used, in the unit of the limit.
    pub used: u64,
    /// The amount that the budget allows, in the unit of the limit.
    pub allowed: u64,
}

debug_as_text!(BudgetExceeded);

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agent, limit, used, allowed } = *self;
        write!(f, "the budget of the agent `{agent}` is used up: ")?;
        match limit {
            BudgetLimit::Cost => {
                write!(f, "{} of {}", Cost::from_nano_usd(used), Cost::from_nano_usd(allowed))
            }
            BudgetLimit::Tokens => write!(f, "{used} of {allowed} tokens"),
            BudgetLimit::ModelCalls => write!(f, "{used} of {allowed} model calls"),
            BudgetLimit::SkillCalls => write!(f, "{used} of {allowed} skill calls"),
            BudgetLimit::Duration => {
                let [used, allowed] = [used, allowed].map(Duration::from_nanos);
                write!(f, "{used:.1?} of {allowed:?}")
            }
        }
    }
}

/// Limits of a budget, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits(u8);

impl Limits {
    /// Adds the limit. Returns `false` if it is in the set already.
    pub(crate) fn insert(&mut self, limit: BudgetLimit) -> bool {
        let before = self.0;
        self.0 |= 1 << limit as u8;
        self.0 != before
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = BudgetLimit> {
        BudgetLimit::ALL.into_iter().filter(move |limit| self.0 & 1 << *limit as u8 != 0)
    }
}

/// News of a meter, told once for each limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The number of the agent call.
    pub(crate) owner: u32,
    pub(crate) agent: &'static str,
    pub(crate) limit: BudgetLimit,
    used: u64,
    allowed: u64,
    /// Whether it is not known how much was used. Else the limit was passed.
    pub(crate) is_unverifiable: bool,
}

impl Finding {
    /// Logs it.
    pub(crate) fn warn(&self) {
        let Self { agent, limit, used, allowed, is_unverifiable, .. } = *self;
        let [used, allowed] = [used, allowed].map(|amount| limit.in_units(amount));
        let limit = limit.as_str();
        if is_unverifiable {
            tracing::warn!(
                target: "monitor_runtime::run",
                agent,
                limit,
                allowed,
                "the budget of an agent cannot be verified, since the usage or the price of a model call is not known"
            );
        } else {
            tracing::warn!(
                target: "monitor_runtime::run",
                agent,
                limit,
                used,
                allowed,
                "an agent has passed a limit of its budget"
            );
        }
    }
}

/// What a model call has used, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ModelUse {
    pub(crate) cost_nanos: Option<u64>,
    pub(crate) tokens: u64,
    /// Whether both the input and the output are known.
    pub(crate) knows_tokens: bool,
}

/// The most entries of calls that have ended.
const MOST_ENDED: usize = 4_096;

/// The meters of a run.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// By the number of the agent call.
    open: HashMap<u32, Meter, RandomState>,
    /// By the number of a call inside another agent than the outermost one, the agent call whose meter is the innermost
    /// one around it. Entries of ended calls stay, since a task that they spawned may go on.
    of_call: HashMap<u32, u32, RandomState>,
    /// The outermost call, if it has a meter.
    outermost: Option<u32>,
}

#[derive(Debug)]
struct Meter {
    agent: &'static str,
    budget: &'static Budget,
    /// In ticks of the clock.
    started: u64,
    /// The agent call with the next meter.
    around: Option<u32>,
    /// By limit; that of the duration stays 0.
    used: [u64; BudgetLimit::ALL.len()],
    passed: Limits,
    unverifiable: Limits,
}

impl Meter {
    fn used(&self, limit: BudgetLimit, now: u64) -> u64 {
        match limit {
            BudgetLimit::Duration => clock::clock().delta_as_nanos(self.started, now),
            counted => self.used[counted as usize],
        }
    }

    /// The limits that were passed since the last time.
    fn look(&mut self, owner: u32, now: u64, found: &mut Vec<Finding>) {
        for limit in BudgetLimit::ALL {
            let Some(allowed) = limit.allowed(self.budget) else { continue };
            let used = self.used(limit, now);
            if used > allowed && self.passed.insert(limit) {
                found.push(Finding {
                    owner,
                    agent: self.agent,
                    limit,
                    used,
                    allowed,
                    is_unverifiable: false,
                });
            }
        }
    }

    fn add(&mut self, limit: BudgetLimit, amount: u64) {
        self.used[limit as usize] = self.used[limit as usize].saturating_add(amount);
    }

    /// Notes that the sum of a limit lacks a part.
    fn lose(&mut self, limit: BudgetLimit, owner: u32, found: &mut Vec<Finding>) {
        let Some(allowed) = limit.allowed(self.budget) else { return };
        if self.unverifiable.insert(limit) {
            let (agent, used) = (self.agent, self.used[limit as usize]);
            found.push(Finding { owner, agent, limit, used, allowed, is_unverifiable: true });
        }
    }
}

impl Meters {
    /// Whether no call has a meter.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The bytes that it takes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        map_bytes(&self.open) + map_bytes(&self.of_call)
    }

    /// Gives an agent call a meter. `parent` is `None` for the outermost call.
    pub(crate) fn open(
        &mut self,
        (call, parent): (u32, Option<u32>),
        agent: &'static str,
        budget: &'static Budget,
        started: u64,
    ) {
        let around = parent.and_then(|parent| self.of_call.get(&parent).copied()).or(self.outermost);
        let meter = Meter {
            agent,
            budget,
            started,
            around,
            used: [0; BudgetLimit::ALL.len()],
            passed: Limits::default(),
            unverifiable: Limits::default(),
        };
        self.open.insert(call, meter);
        if parent.is_some() {
            self.of_call.insert(call, call);
        } else {
            self.outermost = Some(call);
        }
    }

    /// Counts a call that begins, other than an agent call with a meter of its own.
    pub(crate) fn begin(&mut self, call: u32, parent: u32, kind: CallKind, now: u64) -> Vec<Finding> {
        let limit = match kind {
            CallKind::Model => Some(BudgetLimit::ModelCalls),
            CallKind::Skill => Some(BudgetLimit::SkillCalls),
            CallKind::Agent | CallKind::Query => None,
        };
        if let Some(meter) = self.of_call.get(&parent).copied() {
            self.of_call.insert(call, meter);
        }
        self.each_around(call, |owner, meter, found| {
            if let Some(limit) = limit {
                meter.add(limit, 1);
            }
            meter.look(owner, now, found);
        })
    }

    /// The limits of open calls that were passed since the last time.
    pub(crate) fn look(&mut self, now: u64) -> Vec<Finding> {
        let mut found = Vec::new();
        self.open.iter_mut().for_each(|(owner, meter)| meter.look(*owner, now, &mut found));
        found
    }

    /// Counts what a model call has used.
    pub(crate) fn model_ended(&mut self, call: u32, used: ModelUse, now: u64) -> Vec<Finding> {
        self.each_around(call, |owner, meter, found| {
            meter.add(BudgetLimit::Tokens, used.tokens);
            if !used.knows_tokens {
                meter.lose(BudgetLimit::Tokens, owner, found);
            }
            match used.cost_nanos {
                Some(cost) => meter.add(BudgetLimit::Cost, cost),
                None => meter.lose(BudgetLimit::Cost, owner, found),
            }
            meter.look(owner, now, found);
        })
    }

    /// Takes back a model call.
    #[cfg(feature = "logging")]
    pub(crate) fn withdraw(&mut self, call: u32, now: u64) {
        self.each_around(call, |_, meter, _| {
            let begun = &mut meter.used[BudgetLimit::ModelCalls as usize];
            *begun = begun.saturating_sub(1);
        });
        self.end(call, now);
    }

    /// Ends a call. That of an agent with a meter closes it, unless it is the outermost call: tasks of the run may go on.
    pub(crate) fn end(&mut self, call: u32, now: u64) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(meter) = self.open.get_mut(&call) {
            meter.look(call, now, &mut found);
            if self.outermost != Some(call) {
                self.close(call);
            }
        } else if self.of_call.len() > MOST_ENDED {
            self.of_call.remove(&call);
        }
        found
    }

    /// Removes the meter of an inner agent call. What tasks of it use from then on counts for the budgets around it.
    fn close(&mut self, call: u32) {
        let around = self.open.remove(&call).and_then(|meter| meter.around);
        // Calls without an entry are those of the outermost meter.
        match around.filter(|around| self.outermost != Some(*around)) {
            Some(around) => {
                self.of_call.values_mut().filter(|meter| **meter == call).for_each(|meter| *meter = around);
                if self.of_call.len() > MOST_ENDED {
                    self.of_call.remove(&call);
                }
            }
            None => self.of_call.retain(|_, meter| *meter != call),
        }
        let inside = self.open.values_mut().filter(|meter| meter.around == Some(call));
        inside.for_each(|meter| meter.around = around);
    }

    /// The first limit around a call that is used up, from the innermost budget to the outermost one.
    pub(crate) fn check(&mut self, call: u32, now: u64) -> (Result<(), BudgetExceeded>, Vec<Finding>) {
        let mut result = Ok(());
        let found = self.each_around(call, |owner, meter, found| {
            meter.look(owner, now, found);
            for limit in BudgetLimit::ALL {
                let Some(allowed) = limit.allowed(meter.budget) else { continue };
                let used = meter.used(limit, now);
                if used >= allowed && result.is_ok() {
                    result = Err(BudgetExceeded { agent: meter.agent, limit, used, allowed });
                }
            }
        });
        (result, found)
    }

    /// Visits the meters around a call, its own included, the innermost one first.
    fn each_around(
        &mut self,
        call: u32,
        mut visit: impl FnMut(u32, &mut Meter, &mut Vec<Finding>),
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut next = self.of_call.get(&call).copied();
        loop {
            let open = next.filter(|owner| self.open.contains_key(owner)).or(self.outermost);
            let Some(owner) = open else { break };
            let Some(meter) = self.open.get_mut(&owner) else { break };
            visit(owner, meter, &mut found);
            next = meter.around;
            if self.outermost == Some(owner) {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Budget =
        Budget { cost_nanos: 0, tokens: 0, model_calls: 0, skill_calls: 0, duration_nanos: 0 };
    static OUTER: Budget = Budget { skill_calls: 2, ..NONE };
    static INNER: Budget = Budget { skill_calls: 1, tokens: 10, ..NONE };

    fn told(found: &[Finding]) -> Vec<(&'static str, &'static str, u64)> {
        found.iter().map(|found| (found.agent, found.limit.as_str(), found.used)).collect()
    }

    #[test]
    fn a_call_counts_for_every_budget_around_it_and_each_limit_is_told_once() {
        let mut meters = Meters::default();
        meters.open((1, None), "outer", &OUTER, 0);
        meters.open((2, Some(1)), "inner", &INNER, 0);
        assert_eq!(meters.check(2, 0).0, Ok(()));
        assert!(meters.begin(3, 2, CallKind::Skill, 0).is_empty());
        let error = meters.check(3, 0).0.unwrap_err();
        assert_eq!((error.agent, error.used, error.allowed), ("inner", 1, 1));
        assert_eq!(meters.check(1, 0).0, Ok(()), "the outer agent has one call left");
        // Called by the skill, hence inside both.
        assert_eq!(told(&meters.begin(4, 3, CallKind::Skill, 0)), [("inner", "skill_calls", 2)]);
        assert_eq!(told(&meters.begin(5, 2, CallKind::Skill, 0)), [("outer", "skill_calls", 3)]);
        assert!(meters.end(2, 0).is_empty());
        assert!(meters.begin(6, 2, CallKind::Skill, 0).is_empty());
        let error = meters.check(6, 0).0.unwrap_err();
        assert_eq!((error.agent, error.used), ("outer", 4), "after the end of the inner agent");
    }

    #[test]
    fn what_goes_on_after_the_innermost_agent_counts_for_those_around_it() {
        let mut meters = Meters::default();
        meters.open((1, None), "outer", &OUTER, 0);
        meters.open((2, Some(1)), "middle", &INNER, 0);
        meters.open((3, Some(2)), "inner", &INNER, 0);
        assert!(meters.begin(4, 3, CallKind::Query, 0).is_empty());
        assert!(meters.end(3, 0).is_empty());
        assert!(meters.begin(5, 4, CallKind::Skill, 0).is_empty());
        let error = meters.check(5, 0).0.unwrap_err();
        assert_eq!((error.agent, error.used), ("middle", 1));
    }

    #[test]
    fn an_agent_that_outlives_one_around_it_still_counts_for_the_next() {
        let mut meters = Meters::default();
        meters.open((1, None), "outermost", &OUTER, 0);
        meters.open((2, Some(1)), "outer", &OUTER, 0);
        meters.open((3, Some(2)), "ended", &OUTER, 0);
        meters.open((4, Some(3)), "inner", &INNER, 0);
        assert!(meters.end(3, 0).is_empty());
        assert!(meters.begin(5, 4, CallKind::Skill, 0).is_empty());
        assert!(meters.begin(6, 2, CallKind::Skill, 0).is_empty());
        assert_eq!(meters.check(6, 0).0.unwrap_err().agent, "outer");
    }

    #[test]
    fn agents_that_have_ended_leave_no_entry() {
        let mut meters = Meters::default();
        meters.open((1, None), "outer", &OUTER, 0);
        for call in 2..100 {
            meters.open((call, Some(1)), "inner", &INNER, 0);
            assert!(meters.end(call, 0).is_empty());
        }
        assert_eq!((meters.open.len(), meters.of_call.len()), (1, 0));
    }

    #[test]
    fn a_sum_that_lacks_a_part_is_unverifiable_only_if_it_is_limited() {
        let mut meters = Meters::default();
        meters.open((1, None), "agent", &INNER, 0);
        let used = ModelUse { cost_nanos: None, tokens: 10, knows_tokens: true };
        assert!(meters.model_ended(2, used, 0).is_empty(), "there is no limit of cost");
        let found = meters.model_ended(3, ModelUse::default(), 0);
        assert!(found[0].is_unverifiable);
        assert_eq!(told(&found), [("agent", "tokens", 10)]);
        assert!(meters.model_ended(4, ModelUse::default(), 0).is_empty());
        assert_eq!(told(&meters.model_ended(5, used, 0)), [("agent", "tokens", 20)]);
    }

    #[test]
    fn the_error_shows_amounts_with_their_units() {
        let shown = |limit, used, allowed| {
            let error = BudgetExceeded { agent: "planner", limit, used, allowed };
            error.to_string().split(": ").nth(1).unwrap().to_owned()
        };
        assert_eq!(shown(BudgetLimit::Cost, 510_000_000, 500_000_000), "$0.51 of $0.5");
        assert_eq!(shown(BudgetLimit::Tokens, 7, 5), "7 of 5 tokens");
        assert_eq!(shown(BudgetLimit::ModelCalls, 30, 30), "30 of 30 model calls");
        assert_eq!(shown(BudgetLimit::SkillCalls, 1, 1), "1 of 1 skill calls");
        assert_eq!(shown(BudgetLimit::Duration, 300_200_000_000, 300_000_000_000), "300.2s of 300s");
    }
}
