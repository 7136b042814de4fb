//! Settings that every family of the process shares.

use super::calls::CallKind;
use super::requests;
use crate::cells::buckets::BucketError;
use crate::cells::exemplars;
use crate::cells::native::{NativeHistogramError, NativeHistograms};

/// A family whose buckets can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyName {
    Agents,
    Skills,
    Queries,
    Http,
}

/// Sets a family's bucket bounds, in seconds, before its first series is made.
pub(crate) fn set_buckets(family: FamilyName, seconds: &[f64]) -> Result<(), BucketError> {
    match family {
        FamilyName::Agents => CallKind::Agent.family().series.set_buckets(seconds),
        FamilyName::Skills => CallKind::Skill.family().series.set_buckets(seconds),
        FamilyName::Queries => CallKind::Query.family().series.set_buckets(seconds),
        FamilyName::Http => requests::metrics().durations.set_buckets(seconds),
    }
}

/// Has every family keep native histograms, from its first series on; all of them, or none.
pub(crate) fn keep_native(settings: NativeHistograms) -> Result<(), NativeHistogramError> {
    let calls = || CallKind::ALL.into_iter().map(|kind| &kind.family().series);
    calls().try_for_each(|family| family.check_native(settings))?;
    requests::metrics().durations.check_native(settings)?;
    calls().try_for_each(|family| family.keep_native(settings))?;
    requests::metrics().durations.keep_native(settings)?;
    Ok(())
}

/// Has calls and requests leave exemplars from here on.
pub(crate) fn keep_exemplars() {
    if !exemplars::keep() {
        super::calls::keep_exemplars();
    }
}
