//! Converts what is recorded for the conventions for generative AI.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint,
};

use super::own;
use super::parts::{CUMULATIVE, Span, sum};
use crate::cells::histogram::Histogram as Recorded;
use crate::cells::index::Series as _;
use crate::cells::labels::Labels;
use crate::otlp::attributes::text;
use crate::otlp::call_metrics::{self, Durations, ModelSeries, Operations, TOKEN_METRICS};
use crate::otlp::semconv::gen_ai::{INVOKE_AGENT, UNKNOWN_MODALITY};
use crate::otlp::semconv::gen_ai_metrics::{self, Instrument};

/// Converts everything that is recorded; nothing before the recording has begun.
pub(super) fn metrics(now: u64, is_explicit: bool) -> Vec<(Metric, usize)> {
    let Some(start) = call_metrics::since() else { return Vec::new() };
    let into = Into { span: Span { start: start.min(now), now }, is_explicit };
    let models = call_metrics::models();
    let mut metrics = Vec::new();
    for operations in [Operations::Inference, Operations::Embeddings, Operations::Other] {
        let durations = models.iter().filter(|series| series.operations == operations);
        metrics.extend(into.durations(
            operations.duration(),
            durations.map(|series| (values(series.labels()), &series.durations)),
        ));
    }
    metrics.extend(into.first_chunks(&models));
    metrics.extend((0..TOKEN_METRICS.len()).filter_map(|place| into.tokens(place, &models)));
    metrics.extend(into.embedded(&models));
    let agents = call_metrics::agents();
    let named = |labels| [INVOKE_AGENT].into_iter().chain(values(labels)).collect();
    metrics.extend(into.durations(
        &gen_ai_metrics::AGENT_DURATION,
        agents.iter().map(|series| (named(series.labels()), &series.durations)),
    ));
    let tools = call_metrics::tools();
    metrics.extend(into.durations(
        &gen_ai_metrics::TOOL_DURATION,
        tools.iter().map(|series| (values(series.labels()), &series.durations)),
    ));
    metrics
}

fn values(labels: &Labels) -> Vec<&str> {
    labels.values().collect()
}

/// Pairs the attributes of a metric with values. An empty value is an attribute that is left out.
fn attributes<'v>(instrument: &Instrument, values: impl IntoIterator<Item = &'v str>) -> Vec<KeyValue> {
    let pairs = instrument.metric.labels.iter().zip(values);
    pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| text(*name, value)).collect()
}

/// The data points of a histogram of durations.
#[derive(Default)]
struct Points {
    explicit: Vec<HistogramDataPoint>,
    exponential: Vec<ExponentialHistogramDataPoint>,
}

/// How recorded numbers are converted.
#[derive(Clone, Copy)]
struct Into {
    span: Span,
    /// Whether native histograms are left out.
    is_explicit: bool,
}

impl Into {
    fn add(self, points: &mut Points, attributes: Vec<KeyValue>, recorded: &Recorded) {
        recorded.read(|reading| {
            if reading.count() == 0 {
                return;
            }
            match reading.native().filter(|_| !self.is_explicit) {
                None => points.explicit.push(own::histogram(attributes, self.span, reading)),
                Some(native) => {
                    let point = own::exponential_histogram(attributes, self.span, reading, &native);
                    points.exponential.push(point);
                }
            }
        });
    }

    fn durations<'s>(
        self,
        instrument: &Instrument,
        series: impl Iterator<Item = (Vec<&'s str>, &'s Durations)>,
    ) -> Option<(Metric, usize)> {
        let mut points = Points::default();
        for (values, durations) in series {
            durations.each(|error_type, recorded| {
                let values = values.iter().copied().chain([error_type]);
                self.add(&mut points, attributes(instrument, values), recorded);
            });
        }
        points.into_metric(instrument)
    }

    fn first_chunks(self, models: &[&'static ModelSeries]) -> Option<(Metric, usize)> {
        let instrument = &gen_ai_metrics::FIRST_CHUNK;
        let mut points = Points::default();
        for series in models.iter().filter(|series| series.operations == Operations::Inference) {
            if let Some(recorded) = series.first_chunk() {
                self.add(&mut points, attributes(instrument, series.labels().values()), recorded);
            }
        }
        points.into_metric(instrument)
    }

    fn tokens(self, place: usize, models: &[&'static ModelSeries]) -> Option<(Metric, usize)> {
        let instrument = TOKEN_METRICS[place];
        let known = models.iter().filter_map(|series| Some((series, series.tokens(place)?)));
        let points = known.map(|(series, tokens)| NumberDataPoint {
            attributes: attributes(instrument, series.labels().values().chain([UNKNOWN_MODALITY])),
            start_time_unix_nano: self.span.start,
            time_unix_nano: self.span.now,
            value: Some(Value::AsInt(i64::try_from(tokens).unwrap_or(i64::MAX))),
            ..NumberDataPoint::default()
        });
        let points: Vec<_> = points.collect();
        let count = points.len();
        (count > 0).then(|| (metric(instrument, sum(points)), count))
    }

    #[allow(clippy::cast_precision_loss, reason = "OTLP's sum is a float")]
    fn embedded(self, models: &[&'static ModelSeries]) -> Option<(Metric, usize)> {
        let instrument = &gen_ai_metrics::EMBEDDINGS_TOKENS;
        let mut points = Points::default();
        for series in models {
            let read = series.embedded.read();
            if read.count > 0 {
                points.explicit.push(HistogramDataPoint {
                    attributes: attributes(instrument, series.labels().values()),
                    start_time_unix_nano: self.span.start,
                    time_unix_nano: self.span.now,
                    count: read.count,
                    sum: Some(read.sum as f64),
                    bucket_counts: read.buckets,
                    explicit_bounds: instrument.bounds.to_vec(),
                    ..HistogramDataPoint::default()
                });
            }
        }
        points.into_metric(instrument)
    }
}

impl Points {
    /// `None` without points. All series of a metric agree: either all have native histograms, or none.
    fn into_metric(self, instrument: &Instrument) -> Option<(Metric, usize)> {
        let Self { explicit, exponential } = self;
        let (points, aggregation_temporality) = (explicit.len() + exponential.len(), CUMULATIVE);
        let data = if exponential.is_empty() {
            Data::Histogram(Histogram { data_points: explicit, aggregation_temporality })
        } else {
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: exponential,
                aggregation_temporality,
            })
        };
        (points > 0).then(|| (metric(instrument, data), points))
    }
}

fn metric(instrument: &Instrument, data: Data) -> Metric {
    Metric {
        name: instrument.metric.name.to_owned(),
        description: instrument.metric.help.to_owned(),
        unit: instrument.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}
