//! The invariants between a histogram's samples.

use std::collections::BTreeMap;

use super::family::{Family, Kind, Sample};
use super::line;
use super::rule::{Rule, Violation};

/// The samples of one label set, `le` apart.
#[derive(Default)]
struct Series<'a> {
    buckets: Vec<(f64, &'a Sample)>,
    sum: Option<&'a Sample>,
    count: Option<&'a Sample>,
}

/// Checks every label set of a histogram; other families pass.
pub(super) fn check(family: &Family) -> Result<(), Violation> {
    if family.kind != Some(Kind::Histogram) {
        return Ok(());
    }
    let mut all: BTreeMap<_, Series<'_>> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.sorted_labels();
        labels.retain(|(name, _)| name != "le");
        all.entry(labels).or_default().take(sample)?;
    }
    all.values().try_for_each(Series::complete)
}

impl<'a> Series<'a> {
    fn take(&mut self, sample: &'a Sample) -> Result<(), Violation> {
        if sample.name.ends_with("_bucket") {
            return self.bucket(sample);
        }
        let place = if sample.name.ends_with("_sum") { &mut self.sum } else { &mut self.count };
        *place = Some(sample);
        Ok(())
    }

    fn bucket(&mut self, sample: &'a Sample) -> Result<(), Violation> {
        let le = sample.label("le").unwrap_or_default();
        let bound = line::bound(le).ok_or_else(|| Rule::BucketBound.by(le).at(sample.line))?;
        if let Some(&(before, smaller)) = self.buckets.last() {
            if bound <= before {
                return Err(Rule::BucketOrder.by(le).at(sample.line));
            }
            if sample.value < smaller.value {
                return Err(Rule::BucketsCumulative.by(sample.value.to_string()).at(sample.line));
            }
        }
        self.buckets.push((bound, sample));
        Ok(())
    }

    fn complete(&self) -> Result<(), Violation> {
        let any = self.buckets.last().map(|&(_, sample)| sample).or(self.sum).or(self.count);
        let Some(any) = any else { return Ok(()) };
        let missing = |rule: Rule| rule.by(&any.name).at(any.line);
        let infinity = self.buckets.last().filter(|(bound, _)| *bound == f64::INFINITY);
        let (_, infinity) = infinity.ok_or_else(|| missing(Rule::InfinityBucket))?;
        self.sum.ok_or_else(|| missing(Rule::HistogramSum))?;
        let count = self.count.ok_or_else(|| missing(Rule::HistogramCount))?;
        if infinity.value.total_cmp(&count.value).is_ne() {
            return Err(Rule::CountIsInfinityBucket.by(count.value.to_string()).at(count.line));
        }
        Ok(())
    }
}
