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
use crate::families::runs;
use crate::otlp::attributes::text;
use crate::otlp::call_metrics::{self, Durations, ModelSeries, Operations, TOKEN_METRICS};
use crate::otlp::semconv::gen_ai::{INVOKE_AGENT, UNKNOWN_MODALITY};
use crate::otlp::semconv::gen_ai_metrics::{self, Instrument};

/// Converts everything that is recorded. The calls inside runs are recorded from the start of the process on, all others from
/// the start of an export.
pub(super) fn metrics(process: Span, is_explicit: bool) -> Vec<(Metric, usize)> {
    let mut metrics = call_metrics::since().map_or_else(Vec::new, |start| {
        let span = Span { start: start.min(process.now), now: process.now };
        Into { span, is_explicit }.calls()
    });
    metrics.extend(Into { span: process, is_explicit }.calls_inside_runs());
    metrics
}

fn values(labels: &Labels) -> Vec<&str> {
    labels.values().collect()
}

/// The values of the attributes of an agent's call.
fn of_agent(labels: &Labels) -> impl Iterator<Item = &str> {
    [INVOKE_AGENT].into_iter().chain(labels.values())
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
    fn calls(self) -> Vec<(Metric, usize)> {
        let models = call_metrics::models();
        let mut metrics = Vec::new();
        for operations in [Operations::Inference, Operations::Embeddings, Operations::Other] {
            let durations = models.iter().filter(|series| series.operations == operations);
            metrics.extend(self.durations(
                operations.duration(),
                durations.map(|series| (values(series.labels()), &series.durations)),
            ));
        }
        metrics.extend(self.first_chunks(&models));
        metrics.extend((0..TOKEN_METRICS.len()).filter_map(|place| self.tokens(place, &models)));
        metrics.extend(self.embedded(&models));
        let agents = call_metrics::agents();
        metrics.extend(self.durations(
            &gen_ai_metrics::AGENT_DURATION,
            agents.iter().map(|series| (of_agent(series.labels()).collect(), &series.durations)),
        ));
        let tools = call_metrics::tools();
        metrics.extend(self.durations(
            &gen_ai_metrics::TOOL_DURATION,
            tools.iter().map(|series| (values(series.labels()), &series.durations)),
        ));
        metrics
    }

    fn calls_inside_runs(self) -> impl Iterator<Item = (Metric, usize)> {
        let instruments = [&gen_ai_metrics::AGENT_INFERENCE_CALLS, &gen_ai_metrics::AGENT_TOOL_CALLS];
        let mut points = [Points::default(), Points::default()];
        runs::each(|labels, calls| {
            for ((instrument, points), calls) in instruments.iter().zip(&mut points).zip(calls) {
                self.add_calls(points, instrument, attributes(instrument, of_agent(labels)), calls);
            }
        });
        instruments.into_iter().zip(points).filter_map(|(instrument, points)| points.into_metric(instrument))
    }

    /// Adds the numbers of calls. Ours have a bucket for none, which is a part of the conventions' first one.
    fn add_calls(
        self,
        points: &mut Points,
        instrument: &Instrument,
        attributes: Vec<KeyValue>,
        calls: &Recorded,
    ) {
        let before = points.explicit.len();
        self.add(points, attributes, calls);
        for point in &mut points.explicit[before..] {
            let none = point.bucket_counts.remove(0);
            point.bucket_counts[0] += none;
            point.explicit_bounds = instrument.bounds.to_vec();
        }
    }

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
