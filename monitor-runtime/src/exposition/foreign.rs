//! Validates the families that `prometheus` gathered from the user's collectors, before a scraper sees them.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use prometheus::proto::{Counter, Gauge, Histogram, Metric, MetricFamily, MetricType, Summary};

use crate::families::prometheus_value::value;

/// Refuses a family that some scraper could not read in some format.
///
/// # Errors
///
/// Returns the reason, for a log line.
pub(crate) fn check(family: &MetricFamily) -> Result<(), String> {
    let (name, kind, metrics) = (family.name(), family.get_field_type(), family.get_metric());
    if !is_metric_name(name) {
        return Err("its name is no metric name; expected letters, digits, `_` and `:`, and no digit first"
            .to_owned());
    }
    if kind == MetricType::COUNTER && name == "_total" {
        return Err(
            "its name is nothing without `_total`, which readers take off a counter's name".to_owned()
        );
    }
    if metrics.is_empty() {
        return Err("it has no samples".to_owned());
    }
    if kind == MetricType::UNTYPED {
        return Err("untyped metrics have no encoding; make it a gauge".to_owned());
    }
    let mut seen = HashSet::with_hasher(RandomState::default());
    for metric in metrics {
        check_labels(kind, metric)?;
        if metrics.len() > 1 && !seen.insert(identity(metric)) {
            return Err(format!("the series {} is given twice", shown(metric)));
        }
        let checked = check_type(kind, metric).and_then(|()| check_value(kind, metric));
        checked.map_err(|wrong| format!("in the series {}, {wrong}", shown(metric)))?;
    }
    Ok(())
}

/// Whether every scraper accepts a metric of that name.
pub(crate) fn is_metric_name(name: &str) -> bool {
    is_name(name, |byte| byte == b':')
}

/// Whether every scraper accepts a label of that name. Prometheus reserves names that begin with `__`.
pub(crate) fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false) && !name.starts_with("__")
}

fn is_name(name: &str, more: impl Fn(u8) -> bool) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || more(byte);
    name.bytes().all(is_inside) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn check_labels(kind: MetricType, metric: &Metric) -> Result<(), String> {
    let labels = metric.get_label();
    for (at, pair) in labels.iter().enumerate() {
        let name = pair.name();
        if !is_label_name(name) {
            return Err(format!(
                "its label {name:?} is no label name; expected letters, digits and `_`, and neither a digit nor `__` first"
            ));
        }
        if labels[..at].iter().any(|before| before.name() == name) {
            return Err(format!("it has the label `{name}` twice"));
        }
        if matches!((kind, name), (MetricType::HISTOGRAM, "le") | (MetricType::SUMMARY, "quantile")) {
            return Err(format!("it has a label `{name}` of its own, which the format adds"));
        }
    }
    Ok(())
}

/// The labels that identify a series within its family. Prometheus treats an empty label as a missing one.
fn identity(metric: &Metric) -> Vec<(&str, &str)> {
    let labels = metric.get_label().iter().map(|pair| (pair.name(), pair.value()));
    let mut labels: Vec<_> = labels.filter(|(_, value)| !value.is_empty()).collect();
    labels.sort_unstable();
    labels
}

/// The labels of a series, for a log line.
fn shown(metric: &Metric) -> String {
    let labels = metric.get_label().iter().map(|pair| format!("{}={:?}", pair.name(), pair.value()));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(","))
}

/// Refuses a value of another type than its family. A registry merges families of one name and keeps the type of the
/// first; the other's value would then be read from an unset field, as 0.
fn check_type(kind: MetricType, metric: &Metric) -> Result<(), String> {
    let is_other = kind != MetricType::COUNTER && is_set::<Counter>(metric.get_counter())
        || kind != MetricType::GAUGE && is_set::<Gauge>(metric.get_gauge())
        || kind != MetricType::HISTOGRAM && is_set::<Histogram>(metric.get_histogram())
        || kind != MetricType::SUMMARY && is_set::<Summary>(metric.get_summary());
    if is_other {
        return Err("the value is of another type than the metric; expected one type for all collectors that give the name".to_owned());
    }
    Ok(())
}

fn is_set<T: Default + PartialEq>(value: &T) -> bool {
    *value != T::default()
}

fn check_value(kind: MetricType, metric: &Metric) -> Result<(), String> {
    if metric.timestamp_ms() < 0 {
        return Err(format!("the timestamp is {} ms; expected none before 1970", metric.timestamp_ms()));
    }
    match kind {
        MetricType::COUNTER => {
            let value = value(kind, metric);
            if value >= 0.0 { Ok(()) } else { Err(format!("the counter is {value}; expected 0 or more")) }
        }
        MetricType::HISTOGRAM => check_histogram(metric.get_histogram()),
        MetricType::SUMMARY => check_summary(metric.get_summary()),
        MetricType::GAUGE | MetricType::UNTYPED => Ok(()),
    }
}

fn check_histogram(histogram: &Histogram) -> Result<(), String> {
    let all = histogram.get_sample_count();
    let (mut below, mut count) = (None, 0);
    for bucket in histogram.get_bucket() {
        let (bound, cumulative) = (bucket.upper_bound(), bucket.cumulative_count());
        if bound.is_nan() || below.is_some_and(|below| bound <= below) {
            return Err(format!("the bucket bound {bound} does not ascend"));
        }
        if cumulative < count {
            return Err(format!(
                "the bucket {bound} counts {cumulative}, fewer than the {count} of the one before it"
            ));
        }
        (below, count) = (Some(bound), cumulative);
    }
    let is_whole = below == Some(f64::INFINITY);
    if count > all || is_whole && count != all {
        return Err(format!("the last bucket counts {count}, and all buckets together {all}"));
    }
    Ok(())
}

fn check_summary(summary: &Summary) -> Result<(), String> {
    let quantiles = summary.get_quantile();
    for (at, quantile) in quantiles.iter().enumerate() {
        let rank = quantile.quantile();
        if !(0.0..=1.0).contains(&rank) {
            return Err(format!("the quantile {rank} is none; expected 0 to 1"));
        }
        if quantiles[..at].iter().any(|before| before.quantile() == rank) {
            return Err(format!("the quantile {rank} is given twice"));
        }
    }
    Ok(())
}
