//! Checks that a histogram is consistent with itself.

use std::collections::BTreeMap;

use super::read::{Family, Sample};
use super::{LintRule, Problems};

/// The samples of one label set, without `le`.
#[derive(Default)]
struct Series {
    line: usize,
    /// Bounds and counts, in the order of the text.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    has_sum: bool,
}

pub(super) fn check(family: &Family<'_>, problems: &mut Problems) {
    let mut all: BTreeMap<Vec<(&str, &str)>, Series> = BTreeMap::new();
    for sample in &family.samples {
        let labels = sample.sorted_labels().into_iter().filter(|(name, _)| *name != "le").collect();
        let series = all.entry(labels).or_insert_with(|| Series { line: sample.line, ..Series::default() });
        match sample.name.strip_prefix(family.name) {
            Some("_count") => series.count = Some(sample.value),
            Some("_sum") => series.has_sum = true,
            _ => match bound(sample) {
                Some(bound) => series.buckets.push((bound, sample.value)),
                None => problems.note(sample.line, family.name, LintRule::Histogram, NO_BOUND),
            },
        }
    }
    for series in all.values() {
        if let Some(message) = series.contradiction() {
            problems.note(series.line, family.name, LintRule::Histogram, message);
        }
    }
}

const NO_BOUND: &str = "a bucket has no bound; expected a label `le` that is a number or `+Inf`";

fn bound(sample: &Sample<'_>) -> Option<f64> {
    let (_, bound) = sample.labels.iter().find(|(name, _)| *name == "le")?;
    bound.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

impl Series {
    fn contradiction(&self) -> Option<&'static str> {
        let Some((last, all)) = self.buckets.last() else { return Some("it has no buckets") };
        if !self.buckets.is_sorted_by(|a, b| a.0 < b.0) {
            return Some("its bounds are out of order; expected them ascending");
        }
        if *last != f64::INFINITY {
            return Some("its last bucket is not `+Inf`");
        }
        if !self.buckets.is_sorted_by(|a, b| a.1 <= b.1) {
            return Some("a bucket counts less than the one before it; expected the counts of all below");
        }
        match self.count {
            None => Some("it has no `_count`"),
            Some(count) if count != *all => Some("its `_count` is not that of its bucket `+Inf`"),
            Some(_) if !self.has_sum => Some("it has no `_sum`"),
            Some(_) => None,
        }
    }
}
