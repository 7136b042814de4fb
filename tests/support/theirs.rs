//! Collectors as users write them, with any families that `prometheus` accepts.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary,
};

/// Collects these families, valid or not.
pub(crate) struct Gives {
    desc: Desc,
    families: Vec<MetricFamily>,
}

impl Gives {
    /// `name` tells collectors apart; a registry does not compare it with what is collected.
    pub(crate) fn new(name: &str, families: Vec<MetricFamily>) -> Box<Self> {
        let desc = Desc::new(name.to_owned(), "A collector.".to_owned(), Vec::new(), HashMap::new());
        Box::new(Self { desc: desc.unwrap(), families })
    }
}

impl Collector for Gives {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.families.clone()
    }
}

/// Panics whenever it is asked.
pub(crate) struct Panics(Desc);

impl Panics {
    pub(crate) fn boxed() -> Box<dyn Collector> {
        let desc = Desc::new("panics".to_owned(), "Panics.".to_owned(), Vec::new(), HashMap::new());
        Box::new(Self(desc.unwrap()))
    }
}

impl Collector for Panics {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        panic!("the collector broke")
    }
}

pub(crate) fn family(name: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help("Theirs.".to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

/// A series without a value.
pub(crate) fn series(labels: &[(&str, &str)]) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}

pub(crate) fn gauge(labels: &[(&str, &str)], value: f64) -> Metric {
    let (mut metric, mut gauge) = (series(labels), Gauge::default());
    gauge.set_value(value);
    metric.set_gauge(gauge);
    metric
}

pub(crate) fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
    let (mut metric, mut counter) = (series(labels), Counter::default());
    counter.set_value(value);
    metric.set_counter(counter);
    metric
}

/// Bounds with what is counted up to them, then the count of all and their sum.
pub(crate) fn histogram(labels: &[(&str, &str)], buckets: &[(f64, u64)], count: u64, sum: f64) -> Metric {
    let (mut metric, mut histogram) = (series(labels), Histogram::default());
    let buckets = buckets.iter().map(|&(bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        bucket
    });
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(count);
    histogram.set_sample_sum(sum);
    metric.set_histogram(histogram);
    metric
}

/// Quantiles with their values, then the count of all and their sum.
pub(crate) fn summary(labels: &[(&str, &str)], quantiles: &[(f64, f64)], count: u64, sum: f64) -> Metric {
    let (mut metric, mut summary) = (series(labels), Summary::default());
    let quantiles = quantiles.iter().map(|&(rank, value)| {
        let mut quantile = Quantile::default();
        quantile.set_quantile(rank);
        quantile.set_value(value);
        quantile
    });
    summary.set_quantile(quantiles.collect());
    summary.set_sample_count(count);
    summary.set_sample_sum(sum);
    metric.set_summary(summary);
    metric
}
