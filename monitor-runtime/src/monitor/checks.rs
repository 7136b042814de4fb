//! The checks that a monitor is given, and what is refused of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::builder::MonitorBuilder;
use super::error::BuildError;
use super::names;
use crate::health::{Check, Plan, Policy, Rules};

impl MonitorBuilder {
    /// Adds a critical check, under a name that no other check of this monitor has.
    pub fn check(self, check: impl Check) -> Self {
        self.check_with(Policy::critical(), check)
    }

    /// Adds a check with a policy of its own: whether readiness depends on it, how often it runs, how long a run may
    /// take, and how many runs turn it.
    pub fn check_with(mut self, policy: Policy, check: impl Check) -> Self {
        self.checks.push((Arc::new(check), policy));
        self
    }

    /// Sets the pause between two runs of a check whose policy names none, give or take a tenth; 2 seconds when not set,
    /// and more than zero. It begins when a run has ended.
    pub fn check_interval(mut self, interval: Duration) -> Self {
        self.check_interval = interval;
        self
    }

    pub(super) fn planned_checks(&self) -> Result<Vec<Plan>, BuildError> {
        if self.check_interval.is_zero() {
            return Err(BuildError::ZeroInterval);
        }
        let mut seen = BTreeSet::new();
        let plan = |(check, policy): &(Arc<dyn Check>, Policy)| {
            let plan = self.plan(check, policy)?;
            if !seen.insert(plan.name.clone()) {
                return Err(BuildError::DuplicateCheck { name: plan.name.into() });
            }
            Ok(plan)
        };
        self.checks.iter().map(plan).collect()
    }

    fn plan(&self, check: &Arc<dyn Check>, policy: &Policy) -> Result<Plan, BuildError> {
        let name: Box<str> = check.name().into();
        if !names::is_check_name(&name) {
            return Err(BuildError::CheckName { name: name.into() });
        }
        let rules = Rules {
            severity: policy.severity,
            interval: policy.interval.unwrap_or(self.check_interval),
            timeout: policy.timeout.unwrap_or_else(|| check.timeout()),
            failure_threshold: policy.failure_threshold,
            success_threshold: policy.success_threshold,
        };
        validate(&name, &rules)?;
        Ok(Plan { name, rules, check: Arc::clone(check) })
    }
}

fn validate(check: &str, rules: &Rules) -> Result<(), BuildError> {
    let check = || check.to_owned();
    if rules.timeout.is_zero() {
        return Err(BuildError::ZeroTimeout { check: check() });
    }
    if rules.interval.is_zero() {
        return Err(BuildError::ZeroCheckInterval { check: check() });
    }
    let thresholds =
        [("failure_threshold", rules.failure_threshold), ("success_threshold", rules.success_threshold)];
    match thresholds.into_iter().find(|(_, runs)| *runs == 0) {
        Some((setting, _)) => Err(BuildError::ZeroThreshold { check: check(), setting }),
        None => Ok(()),
    }
}
