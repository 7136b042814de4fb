//! Computes a quantile of the whole fleet from the scrapes of its instances.

use std::collections::BTreeMap;

/// Cumulative counts by upper bound, of any number of histograms with the same bounds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Buckets(BTreeMap<Bound, f64>);

/// An upper bound in seconds, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound(f64);

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Buckets {
    /// Adds the buckets of a scrape with this prefix, e.g. `name_bucket{method="GET",`, whose last label is `le`.
    pub(crate) fn add(&mut self, scrape: &str, beginning: &str) {
        for line in scrape.lines().filter_map(|line| line.strip_prefix(beginning)) {
            let Some((bound, count)) = line.strip_prefix("le=\"").and_then(|rest| rest.split_once("\"} "))
            else {
                continue;
            };
            if let (Ok(bound), Ok(count)) = (bound.parse(), count.parse::<f64>()) {
                *self.0.entry(Bound(bound)).or_default() += count;
            }
        }
    }

    /// Number of observations.
    pub(crate) fn count(&self) -> f64 {
        self.0.last_key_value().map_or(0.0, |(_, count)| *count)
    }

    /// The quantile, by interpolation within its bucket as Prometheus defines it
    /// (<https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>); `None` if that bucket is the last.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = quantile * self.count();
        let (mut lower, mut below) = (0.0, 0.0);
        for (Bound(upper), count) in &self.0 {
            if *count >= rank && *count > below {
                return upper.is_finite().then(|| lower + (upper - lower) * (rank - below) / (count - below));
            }
            (lower, below) = (*upper, *count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = "\
t_bucket{a=\"x\",le=\"0.1\"} 2
t_bucket{a=\"x\",le=\"1\"} 4
t_bucket{a=\"x\",le=\"+Inf\"} 4
t_bucket{a=\"y\",le=\"1\"} 9
";

    #[test]
    fn histograms_add_up_bound_by_bound() {
        let mut buckets = Buckets::default();
        buckets.add(SCRAPE, "t_bucket{a=\"x\",");
        buckets.add(SCRAPE, "t_bucket{a=\"x\",");
        assert!((buckets.count() - 8.0).abs() < f64::EPSILON);
        assert!((buckets.quantile(0.25).unwrap() - 0.05).abs() < 1e-12);
        assert!((buckets.quantile(0.75).unwrap() - 0.55).abs() < 1e-12);
    }

    #[test]
    fn a_quantile_beyond_the_last_bound_is_none() {
        let mut buckets = Buckets::default();
        buckets.add("t_bucket{le=\"1\"} 1\nt_bucket{le=\"+Inf\"} 9\n", "t_bucket{");
        assert_eq!(buckets.quantile(0.9), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
    }
}
