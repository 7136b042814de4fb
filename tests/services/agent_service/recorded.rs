//! The metrics of a service, in a form that reads well in an assertion.

use crate::support::exposition::Exposition;

/// Every counted series of these families that has moved, as `family label label = value`.
pub(crate) fn moved(scrape: &Exposition, families: &[&str]) -> Vec<String> {
    let samples =
        families.iter().flat_map(|family| scrape.samples(family)).filter(|sample| sample.value != 0.0);
    let series = samples.map(|sample| {
        let labels = sample.labels.iter().map(|(_, value)| value.as_str());
        let series: Vec<_> = std::iter::once(sample.name.as_str()).chain(labels).collect();
        format!("{} = {}", series.join(" "), sample.value)
    });
    series.collect()
}

/// Asserts that the histogram has timed everything its family counts.
#[track_caller]
pub(crate) fn assert_all_timed(scrape: &Exposition, counter: &str, histogram: &str) {
    let sum = |name: &str| scrape.samples(name).map(|sample| sample.value).sum::<f64>();
    assert_eq!(sum(counter).to_string(), sum(&format!("{histogram}_count")).to_string(), "{histogram}");
    let seconds = sum(&format!("{histogram}_sum"));
    assert!((0.000_001..600.0).contains(&seconds), "{histogram} took {seconds} s in all");
}

/// Whether the family is there and shows anything but zeros.
pub(crate) fn is_moving(scrape: &Exposition, name: &str) -> bool {
    scrape.family(name).is_some_and(|family| family.samples.iter().any(|sample| sample.value > 0.0))
}
