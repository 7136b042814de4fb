//! Converts our own metrics from their snapshot: integers stay integers, buckets keep their exemplars, and native
//! histograms become exponential histograms.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exemplar;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint,
};

use super::parts::{CUMULATIVE, Span, apart, sum, unit};
use crate::cells::exemplars;
use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::cells::native::{NativeBuckets, zero_threshold};
use crate::families::catalog::Kind;
use crate::families::snapshot::{ExtraLabel, MetricSnapshot, Sample, Sink};
use crate::otlp::attributes::text;

/// The data points of one of our metrics.
pub(super) struct Points<'a> {
    names: &'static [&'static str],
    /// The labels that the registry adds.
    registry_labels: &'a [(String, String)],
    span: Span,
    /// Whether native histograms are left out.
    is_explicit: bool,
    numbers: Vec<NumberDataPoint>,
    histograms: Vec<HistogramDataPoint>,
    exponential: Vec<ExponentialHistogramDataPoint>,
    pub(super) count: usize,
}

impl Sink for Points<'_> {
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>) {
        let attributes = self.attributes(labels, extra);
        self.count += 1;
        match sample {
            Sample::Counter(value) | Sample::Gauge(value) => {
                self.number(attributes, Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX)));
            }
            Sample::Nanos(nanos) => self.number(attributes, Value::AsDouble(nanos as f64 / 1e9)),
            Sample::Decimal(value) => self.number(attributes, Value::AsDouble(value)),
            Sample::Histogram(reading) => match reading.native().filter(|_| !self.is_explicit) {
                None => self.histograms.push(histogram(attributes, self.span, reading)),
                Some(native) => {
                    self.exponential.push(exponential_histogram(attributes, self.span, reading, &native));
                }
            },
        }
    }
}

impl<'a> Points<'a> {
    pub(super) fn new(
        shown: &MetricSnapshot,
        registry_labels: &'a [(String, String)],
        span: Span,
        is_explicit: bool,
    ) -> Self {
        let (numbers, histograms, exponential) = (Vec::new(), Vec::new(), Vec::new());
        let names = shown.metric.labels;
        Self { names, registry_labels, span, is_explicit, numbers, histograms, exponential, count: 0 }
    }

    fn attributes(&self, labels: &Labels, extra: Option<&ExtraLabel>) -> Vec<KeyValue> {
        let own = self.names.iter().copied().zip(labels.values());
        let own = own.chain(extra.map(|extra| (extra.name, extra.value)));
        let added = self.registry_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(added).map(|(name, value)| text(name, value)).collect()
    }

    fn number(&mut self, attributes: Vec<KeyValue>, value: Value) {
        self.numbers.push(NumberDataPoint {
            attributes,
            start_time_unix_nano: self.span.start,
            time_unix_nano: self.span.now,
            value: Some(value),
            ..NumberDataPoint::default()
        });
    }

    pub(super) fn into_metric(self, shown: &MetricSnapshot, prefix: &str) -> Metric {
        let name = format!("{prefix}{}", shown.metric.name);
        let aggregation_temporality = CUMULATIVE;
        let data = match shown.metric.kind {
            Kind::Counter => sum(self.numbers),
            Kind::Gauge => Data::Gauge(Gauge { data_points: self.numbers }),
            // All series of a metric agree: either all have native histograms, or none.
            Kind::Histogram if self.exponential.is_empty() => {
                Data::Histogram(Histogram { data_points: self.histograms, aggregation_temporality })
            }
            Kind::Histogram => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.exponential,
                aggregation_temporality,
            }),
        };
        Metric {
            unit: unit(&name).to_owned(),
            name,
            description: shown.metric.help.to_owned(),
            data: Some(data),
            ..Metric::default()
        }
    }
}

pub(super) fn histogram(
    attributes: Vec<KeyValue>,
    span: Span,
    reading: HistogramSnapshot<'_>,
) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        count: reading.count(),
        sum: Some(seconds(reading.sum_nanos())),
        bucket_counts: apart(reading.cumulative().iter().copied()),
        explicit_bounds: reading.buckets.seconds().to_vec(),
        exemplars: exemplars(reading),
        ..HistogramDataPoint::default()
    }
}

pub(super) fn exponential_histogram(
    attributes: Vec<KeyValue>,
    span: Span,
    reading: HistogramSnapshot<'_>,
    native: &NativeBuckets,
) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        attributes,
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        count: reading.count(),
        sum: Some(seconds(reading.sum_nanos())),
        scale: native.schema,
        zero_count: native.zero,
        zero_threshold: zero_threshold(),
        positive: Some(positive(native)),
        exemplars: exemplars(reading),
        ..ExponentialHistogramDataPoint::default()
    }
}

/// The buckets above zero. Prometheus numbers a bucket by the exponent of its upper bound, OpenTelemetry by that of its
/// lower bound, so each index is one less here.
/// <https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>
fn positive(native: &NativeBuckets) -> Buckets {
    let Some(&(first, _)) = native.counts.first() else { return Buckets::default() };
    let mut bucket_counts = Vec::new();
    for &(index, count) in &native.counts {
        let place = usize::try_from(index - first).unwrap_or_default();
        bucket_counts.resize(place, 0);
        bucket_counts.push(count);
    }
    Buckets { offset: first - 1, bucket_counts }
}

/// The exemplars of all buckets. A trace id becomes the exemplar's trace id; any other id becomes an attribute.
fn exemplars(reading: HistogramSnapshot<'_>) -> Vec<Exemplar> {
    let mut all = Vec::new();
    for bucket in 0..reading.cumulative().len() {
        reading.exemplar(bucket, |exemplar| all.push(converted(exemplar)));
    }
    all
}

fn converted(exemplar: &exemplars::Exemplar) -> Exemplar {
    let identity = &exemplar.identity;
    let trace_id = (identity.label == "trace_id").then(|| trace_id(&identity.value)).flatten();
    let filtered_attributes = match trace_id {
        Some(_) => Vec::new(),
        None => vec![text(identity.label, &*identity.value)],
    };
    Exemplar {
        filtered_attributes,
        time_unix_nano: u64::try_from(exemplar.taken.as_nanos()).unwrap_or(u64::MAX),
        value: Some(exemplar::Value::AsDouble(seconds(exemplar.nanos))),
        trace_id: trace_id.unwrap_or_default(),
        ..Exemplar::default()
    }
}

/// The bytes of a trace id: 32 hexadecimal digits.
fn trace_id(text: &str) -> Option<Vec<u8>> {
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| u128::from_str_radix(text, 16).ok().map(|id| id.to_be_bytes().to_vec())).flatten()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::buckets::Buckets;
    use crate::cells::exemplars::{Exemplars, Identity};
    use crate::cells::histogram::Histogram as Recorded;
    use crate::cells::stripes::Stripe;
    use crate::metrics::NativeHistograms;

    const SPAN: Span = Span { start: 1, now: 2 };
    const SECOND: u64 = 1_000_000_000;

    fn recorded(native: Option<NativeHistograms>, nanos: &[u64]) -> (&'static Buckets, Recorded) {
        let buckets: &'static Buckets = Box::leak(Box::new(Buckets::new(&[0.5, 1.0]).with_native(native)));
        let histogram = Recorded::new(buckets);
        for &nanos in nanos {
            histogram.record_fully(Stripe::of_this_thread(), nanos);
        }
        (buckets, histogram)
    }

    #[test]
    fn native_buckets_are_numbered_by_their_lower_bounds() {
        // Schema 0: the bounds are powers of two, so the buckets are (0.5, 1] and (2, 4].
        let settings = NativeHistograms::new().growth(2.0);
        let (_, histogram) = recorded(Some(settings), &[0, SECOND, 3 * SECOND, 4 * SECOND]);
        let point = histogram
            .read(|reading| exponential_histogram(Vec::new(), SPAN, reading, &reading.native().unwrap()));
        assert_eq!((point.scale, point.count, point.sum), (0, 4, Some(8.0)));
        assert_eq!((point.zero_count, point.zero_threshold), (1, zero_threshold()));
        // OTLP's bucket -1 is (0.5, 1], bucket 0 is (1, 2], and bucket 1 is (2, 4].
        let positive = point.positive.unwrap();
        assert_eq!((positive.offset, positive.bucket_counts), (-1, vec![1, 0, 2]));
    }

    #[test]
    fn exemplars_carry_a_trace_or_another_id() {
        let (_, histogram) = recorded(None, &[SECOND / 4, 3 * SECOND]);
        let exemplars = Exemplars::new(3);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        exemplars.offer(0, SECOND / 4, || Identity::new("trace_id", trace));
        exemplars.offer(2, 3 * SECOND, || Identity::new("request_id", "r-1"));
        let point = histogram
            .read(|reading| super::histogram(Vec::new(), SPAN, reading.with_exemplars(Some(&exemplars))));
        assert_eq!((point.bucket_counts, point.explicit_bounds), (vec![1, 0, 1], vec![0.5, 1.0]));
        let [traced, named] = point.exemplars.try_into().unwrap();
        assert_eq!(traced.trace_id, u128::from_str_radix(trace, 16).unwrap().to_be_bytes());
        assert_eq!(traced.value, Some(exemplar::Value::AsDouble(0.25)));
        assert!(traced.filtered_attributes.is_empty() && traced.time_unix_nano > 0);
        assert_eq!(named.filtered_attributes, [text("request_id", "r-1")]);
        assert!(named.trace_id.is_empty());
    }
}
