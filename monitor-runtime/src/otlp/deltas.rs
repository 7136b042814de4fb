//! Delta temporality: the increase since the last accepted push.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint,
};
use prost::Message as _;

const DELTA: i32 = AggregationTemporality::Delta as i32;

/// The totals that the collector knows of each series.
///
/// The accepted deltas add up to the cumulative number: a failed push changes nothing here, so the next one contains
/// its increase too. A number that is smaller than before was reset, and counts from zero.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    accepted: Known,
    /// The totals that the collector knows once it accepts the last push.
    pending: Known,
}

#[derive(Debug, Default)]
struct Known {
    series: HashMap<Vec<u8>, Total>,
    /// The time of the snapshot, in nanoseconds since 1970; 0 before the first push.
    at: u64,
}

/// The total of a series.
#[derive(Clone, Debug)]
enum Total {
    Whole(i64),
    Decimal(Added),
    Histogram { count: u64, sum: Added, bounds: Vec<f64>, buckets: Vec<u64> },
    Exponential { count: u64, sum: Added, scale: i32, zero: u64, buckets: Spread },
}

/// A total of decimals. Deltas of decimals are rounded, so the collector's sum may differ from the total in its last
/// digit. The next delta makes up for that.
#[derive(Clone, Copy, Debug, Default)]
struct Added {
    total: f64,
    /// The sum of all deltas, added in the collector's order.
    sent: f64,
}

impl Deltas {
    /// Turns counters and histograms into deltas, and removes unchanged points. Returns the number of removed points.
    pub(super) fn apply(&mut self, metrics: &mut Vec<Metric>, now: u64) -> usize {
        let since = self.accepted.at;
        let mut change = Change { before: &self.accepted.series, after: HashMap::new(), since, left_out: 0 };
        for metric in &mut *metrics {
            change.metric(metric);
        }
        let Change { after, left_out, .. } = change;
        self.pending = Known { series: after, at: now };
        metrics.retain(|metric| !metric.data.as_ref().is_some_and(is_empty));
        left_out
    }

    /// Records that the last push was accepted.
    pub(super) fn commit(&mut self) {
        self.accepted = std::mem::take(&mut self.pending);
    }
}

fn is_empty(data: &Data) -> bool {
    match data {
        Data::Sum(sum) => sum.data_points.is_empty(),
        Data::Histogram(histogram) => histogram.data_points.is_empty(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.is_empty(),
        Data::Gauge(_) | Data::Summary(_) => false,
    }
}

/// One push.
struct Change<'a> {
    before: &'a HashMap<Vec<u8>, Total>,
    after: HashMap<Vec<u8>, Total>,
    since: u64,
    left_out: usize,
}

impl Change<'_> {
    fn metric(&mut self, metric: &mut Metric) {
        let name = &metric.name;
        match &mut metric.data {
            Some(Data::Sum(sum)) if sum.is_monotonic => {
                sum.aggregation_temporality = DELTA;
                self.keep(&mut sum.data_points, |change, point| change.number(name, point));
            }
            Some(Data::Histogram(histogram)) => {
                histogram.aggregation_temporality = DELTA;
                self.keep(&mut histogram.data_points, |change, point| change.histogram(name, point));
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                histogram.aggregation_temporality = DELTA;
                self.keep(&mut histogram.data_points, |change, point| change.exponential(name, point));
            }
            _ => {}
        }
    }

    fn keep<T>(&mut self, points: &mut Vec<T>, mut change: impl FnMut(&mut Self, &mut T) -> bool) {
        let all = points.len();
        points.retain_mut(|point| change(self, point));
        self.left_out += all - points.len();
    }

    /// Returns the series' total of the last accepted push, and records the present one.
    fn replace(&mut self, name: &str, attributes: &[KeyValue], now: Total) -> Option<Total> {
        let key = key(name, attributes);
        let before = self.before.get(&key).cloned();
        self.after.insert(key, now);
        before
    }

    fn start(&self, of_process: u64) -> u64 {
        if self.since == 0 { of_process } else { self.since }
    }

    fn number(&mut self, name: &str, point: &mut NumberDataPoint) -> bool {
        point.start_time_unix_nano = self.start(point.start_time_unix_nano);
        match point.value {
            Some(Value::AsInt(total)) => {
                let before = match self.replace(name, &point.attributes, Total::Whole(total)) {
                    Some(Total::Whole(before)) if before <= total => before,
                    _ => 0,
                };
                point.value = Some(Value::AsInt(total - before));
                total != before
            }
            Some(Value::AsDouble(total)) => {
                let key = key(name, &point.attributes);
                let before = match self.before.get(&key) {
                    Some(Total::Decimal(before)) if before.total <= total => *before,
                    _ => Added::default(),
                };
                let (delta, now) = before.until(total);
                self.after.insert(key, Total::Decimal(now));
                point.value = Some(Value::AsDouble(delta));
                total != before.total
            }
            None => false,
        }
    }

    fn histogram(&mut self, name: &str, point: &mut HistogramDataPoint) -> bool {
        point.start_time_unix_nano = self.start(point.start_time_unix_nano);
        let key = key(name, &point.attributes);
        let (count_before, sum_before, buckets_before) = match self.before.get(&key) {
            Some(Total::Histogram { count, sum, bounds, buckets })
                if *bounds == point.explicit_bounds && is_part(buckets, &point.bucket_counts) =>
            {
                (*count, *sum, buckets.clone())
            }
            _ => (0, Added::default(), vec![0; point.bucket_counts.len()]),
        };
        let count = point.count;
        let (delta, sum) = sum_before.until(point.sum.unwrap_or_default());
        let now = Total::Histogram {
            count,
            sum,
            bounds: point.explicit_bounds.clone(),
            buckets: point.bucket_counts.clone(),
        };
        self.after.insert(key, now);
        point.sum = point.sum.map(|_| delta);
        point.count = count.saturating_sub(count_before);
        for (bucket, before) in point.bucket_counts.iter_mut().zip(buckets_before) {
            *bucket -= before;
        }
        self.only_new(&mut point.exemplars);
        point.count > 0
    }

    fn exponential(&mut self, name: &str, point: &mut ExponentialHistogramDataPoint) -> bool {
        point.start_time_unix_nano = self.start(point.start_time_unix_nano);
        let key = key(name, &point.attributes);
        let now = Spread::of(point.positive.as_ref());
        let before = self.before.get(&key).and_then(|before| match before {
            // The scale falls while values are added, and rises only after a reset.
            Total::Exponential { count, sum, scale, zero, buckets } if point.scale <= *scale => {
                let buckets = buckets.coarser(scale.abs_diff(point.scale));
                let is_part = *zero <= point.zero_count && buckets.is_part_of(&now);
                is_part.then_some((*count, *sum, *zero, buckets))
            }
            _ => None,
        });
        let (count_before, sum_before, zero_before, before) = before.unwrap_or_default();
        let (delta, sum) = sum_before.until(point.sum.unwrap_or_default());
        let (count, zero) = (point.count, point.zero_count);
        point.sum = point.sum.map(|_| delta);
        point.count = count.saturating_sub(count_before);
        point.zero_count = zero - zero_before;
        point.positive = Some(now.without(&before).dense());
        let now = Total::Exponential { count, sum, scale: point.scale, zero, buckets: now };
        self.after.insert(key, now);
        self.only_new(&mut point.exemplars);
        point.count > 0
    }

    /// Removes the exemplars of earlier pushes.
    fn only_new(&self, exemplars: &mut Vec<Exemplar>) {
        exemplars.retain(|exemplar| exemplar.time_unix_nano > self.since);
    }
}

impl Added {
    /// The delta up to that total, and the state after it.
    fn until(self, total: f64) -> (f64, Self) {
        let delta = (total - self.sent).max(0.0);
        (delta, Self { total, sent: self.sent + delta })
    }
}

fn is_part(before: &[u64], now: &[u64]) -> bool {
    before.len() == now.len() && before.iter().zip(now).all(|(before, now)| before <= now)
}

/// The counts of an exponential histogram's buckets by their index, ascending, without zeros.
#[derive(Clone, Debug, Default, PartialEq)]
struct Spread(Vec<(i32, u64)>);

impl Spread {
    fn of(buckets: Option<&Buckets>) -> Self {
        let counts = buckets.into_iter().flat_map(|of| (of.offset..).zip(of.bucket_counts.iter().copied()));
        Self(counts.filter(|&(_, count)| count > 0).collect())
    }

    /// Merges neighbours, `times` times over. The index is that of a bucket's lower bound.
    fn coarser(&self, times: u32) -> Self {
        let mut merged = Vec::<(i32, u64)>::new();
        for &(index, count) in &self.0 {
            let index = index.checked_shr(times).unwrap_or(index >> 31);
            match merged.last_mut() {
                Some((last, counted)) if *last == index => *counted += count,
                _ => merged.push((index, count)),
            }
        }
        Self(merged)
    }

    fn at(&self, index: i32) -> u64 {
        self.0.binary_search_by_key(&index, |&(index, _)| index).map_or(0, |at| self.0[at].1)
    }

    fn is_part_of(&self, now: &Self) -> bool {
        self.0.iter().all(|&(index, count)| count <= now.at(index))
    }

    fn without(&self, before: &Self) -> Self {
        let left = self.0.iter().map(|&(index, count)| (index, count - before.at(index)));
        Self(left.filter(|&(_, count)| count > 0).collect())
    }

    fn dense(&self) -> Buckets {
        let Some(&(offset, _)) = self.0.first() else { return Buckets::default() };
        let mut bucket_counts = Vec::new();
        for &(index, count) in &self.0 {
            bucket_counts.resize(usize::try_from(index - offset).unwrap_or_default(), 0);
            bucket_counts.push(count);
        }
        Buckets { offset, bucket_counts }
    }
}

/// A series by its metric's name and its labels, which come in one order.
fn key(name: &str, attributes: &[KeyValue]) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    // No name has this byte.
    key.push(0);
    for attribute in attributes {
        // Writing to memory does not fail.
        let _ = attribute.encode_length_delimited(&mut key);
    }
    key
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogram, Gauge, Histogram, Sum};

    use super::*;
    use crate::otlp::attributes::text;

    const START: u64 = 7;

    fn metric(name: &str, data: Data) -> Metric {
        Metric { name: name.to_owned(), data: Some(data), ..Metric::default() }
    }

    fn counters(values: &[(&str, Value)]) -> Metric {
        let data_points = values.iter().map(|(label, value)| NumberDataPoint {
            attributes: vec![text("label", *label)],
            start_time_unix_nano: START,
            value: Some(*value),
            ..NumberDataPoint::default()
        });
        let data_points = data_points.collect();
        metric(
            "counted_total",
            Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic: true }),
        )
    }

    fn histogram(buckets: &[u64], sum: f64) -> Metric {
        let point = HistogramDataPoint {
            start_time_unix_nano: START,
            count: buckets.iter().sum(),
            sum: Some(sum),
            bucket_counts: buckets.to_vec(),
            explicit_bounds: (1..buckets.len()).map(|bound| bound as f64).collect(),
            exemplars: [15, 25].map(|time| Exemplar { time_unix_nano: time, ..Exemplar::default() }).into(),
            ..HistogramDataPoint::default()
        };
        metric(
            "took_seconds",
            Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: 2 }),
        )
    }

    fn exponential(scale: i32, offset: i32, counts: &[u64], zero_count: u64) -> Metric {
        let point = ExponentialHistogramDataPoint {
            count: counts.iter().sum::<u64>() + zero_count,
            sum: Some(1.0),
            scale,
            zero_count,
            positive: Some(Buckets { offset, bucket_counts: counts.to_vec() }),
            ..ExponentialHistogramDataPoint::default()
        };
        let histogram = ExponentialHistogram { data_points: vec![point], aggregation_temporality: 2 };
        metric("took_seconds", Data::ExponentialHistogram(histogram))
    }

    fn push(deltas: &mut Deltas, metric: Metric, now: u64) -> Option<Data> {
        let mut metrics = vec![metric];
        deltas.apply(&mut metrics, now);
        metrics.pop()?.data
    }

    fn numbers(data: Option<Data>) -> Vec<(u64, Value)> {
        let Some(Data::Sum(sum)) = data else { return Vec::new() };
        assert_eq!(sum.aggregation_temporality, DELTA);
        let points = sum.data_points.iter();
        points.map(|point| (point.start_time_unix_nano, point.value.unwrap())).collect()
    }

    #[test]
    fn a_lost_delta_is_in_the_next_push() {
        let mut deltas = Deltas::default();
        let whole = |value| counters(&[("a", Value::AsInt(value))]);
        assert_eq!(numbers(push(&mut deltas, whole(3), 10)), [(START, Value::AsInt(3))]);
        deltas.commit();
        assert_eq!(numbers(push(&mut deltas, whole(5), 20)), [(10, Value::AsInt(2))]);
        // It is lost.
        assert_eq!(numbers(push(&mut deltas, whole(9), 30)), [(10, Value::AsInt(6))]);
        deltas.commit();
        assert_eq!(numbers(push(&mut deltas, whole(10), 40)), [(30, Value::AsInt(1))]);
    }

    #[test]
    fn unchanged_series_are_left_out_and_resets_count_from_zero() {
        let mut deltas = Deltas::default();
        let both = |a, b| counters(&[("a", Value::AsInt(a)), ("b", Value::AsInt(b))]);
        assert_eq!(deltas.apply(&mut vec![both(3, 0)], 10), 1);
        deltas.commit();
        assert_eq!(numbers(push(&mut deltas, both(3, 4), 20)), [(10, Value::AsInt(4))]);
        deltas.commit();
        assert_eq!(push(&mut deltas, both(3, 4), 30), None, "not even its name");
        deltas.commit();
        assert_eq!(numbers(push(&mut deltas, both(1, 4), 40)), [(30, Value::AsInt(1))]);
    }

    #[test]
    fn the_deltas_of_decimals_add_up_to_the_total() {
        let mut deltas = Deltas::default();
        let (mut total, mut added) = (0.0, 0.0);
        // Each third push is lost, but not the last.
        for (at, is_lost) in (1..10_001_u32).zip([false, false, true].into_iter().cycle()) {
            total += 0.1 / f64::from(at);
            let pushed = push(&mut deltas, counters(&[("a", Value::AsDouble(total))]), at.into());
            if !is_lost {
                deltas.commit();
                for (_, value) in numbers(pushed) {
                    let Value::AsDouble(delta) = value else { panic!("{value:?}") };
                    added += delta;
                }
            }
        }
        assert!((added - total).abs() <= f64::EPSILON * total, "{added} and {total}");
    }

    #[test]
    fn a_delta_histogram_has_only_new_counts_and_exemplars() {
        let mut deltas = Deltas::default();
        push(&mut deltas, histogram(&[1, 2, 0], 4.0), 20);
        deltas.commit();
        let Some(Data::Histogram(pushed)) = push(&mut deltas, histogram(&[1, 5, 1], 14.0), 30) else {
            panic!()
        };
        let point = &pushed.data_points[0];
        assert_eq!((point.count, point.sum, &*point.bucket_counts), (4, Some(10.0), &[0, 3, 1][..]));
        assert_eq!((point.start_time_unix_nano, pushed.aggregation_temporality), (20, DELTA));
        let times: Vec<_> = point.exemplars.iter().map(|exemplar| exemplar.time_unix_nano).collect();
        assert_eq!(times, [25]);
        deltas.commit();
        // Reset: a bucket has less than before.
        let Some(Data::Histogram(pushed)) = push(&mut deltas, histogram(&[2, 0, 9], 30.0), 40) else {
            panic!()
        };
        assert_eq!(pushed.data_points[0].bucket_counts, [2, 0, 9]);
    }

    #[test]
    fn an_exponential_histogram_may_become_coarser() {
        let mut deltas = Deltas::default();
        push(&mut deltas, exponential(1, -3, &[1, 2, 4, 8], 1), 20);
        deltas.commit();
        // Indexes -3, -2, -1, 0 become -2, -1, -1, 0.
        let coarser = exponential(0, -2, &[1, 7, 8, 16], 3);
        let Some(Data::ExponentialHistogram(pushed)) = push(&mut deltas, coarser, 30) else { panic!() };
        let point = &pushed.data_points[0];
        assert_eq!((point.count, point.zero_count), (19, 2));
        let positive = point.positive.clone().unwrap();
        assert_eq!((positive.offset, positive.bucket_counts), (-1, vec![1, 0, 16]));
    }

    #[test]
    fn gauges_stay_as_they_are() {
        let gauge = Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default()] });
        let mut deltas = Deltas::default();
        for now in [10, 20] {
            assert_eq!(push(&mut deltas, metric("now", gauge.clone()), now), Some(gauge.clone()));
            deltas.commit();
        }
    }
}
