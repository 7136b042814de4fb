//! Writes our own families.

use crate::cells::exemplars::Exemplar;
use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::cells::native::{NativeBuckets, zero_threshold};
use crate::exposition::protobuf::wire::Message;
use crate::exposition::protobuf::{Type, write_family, write_label, write_value};
use crate::exposition::registry_labels::RegistryLabels;
use crate::families::catalog::{Kind, Metric};
use crate::families::snapshot::{ExtraLabel, MetricSnapshot, Sample, Sink};

/// Appends the message of a metric; nothing if it has no series.
pub(crate) fn write(around: &RegistryLabels, shown: &MetricSnapshot, out: &mut Vec<u8>) {
    let Metric { name, kind, help, labels } = *shown.metric;
    let kind = match kind {
        Kind::Counter => Type::Counter,
        Kind::Gauge => Type::Gauge,
        Kind::Histogram => Type::Histogram,
    };
    let start = out.len();
    let mut is_empty = true;
    let name = format!("{}{name}", around.prefix);
    write_family(out, (&name, help, kind), |family| {
        let mut sink = MessageSink { names: labels, around: &around.labels, kind, family, is_empty: true };
        shown.encode(&mut sink);
        is_empty = sink.is_empty;
    });
    if is_empty {
        out.truncate(start);
    }
}

/// Writes the samples of one metric.
struct MessageSink<'f, 'o> {
    names: &'static [&'static str],
    /// The labels that the registry adds.
    around: &'f [(String, String)],
    kind: Type,
    family: &'f mut Message<'o>,
    is_empty: bool,
}

impl Sink for MessageSink<'_, '_> {
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>) {
        self.is_empty = false;
        self.family.nested(4, |metric| {
            let own = self.names.iter().copied().zip(labels.values());
            for (name, value) in own.chain(extra.map(|extra| (extra.name, extra.value))) {
                write_label(metric, name, value);
            }
            for (name, value) in self.around {
                write_label(metric, name, value);
            }
            match sample {
                Sample::Counter(value) | Sample::Gauge(value) => write_value(metric, self.kind, value as f64),
                Sample::Nanos(nanos) => write_value(metric, self.kind, seconds(nanos)),
                Sample::Decimal(value) => write_value(metric, self.kind, value),
                Sample::Histogram(reading) => metric.nested(7, |message| histogram(message, reading)),
            }
        });
    }
}

fn histogram(message: &mut Message<'_>, reading: HistogramSnapshot<'_>) {
    message.unsigned(1, reading.count());
    message.double(2, seconds(reading.sum_nanos()));
    let bounds = reading.buckets.seconds().iter().copied().chain([f64::INFINITY]);
    for ((place, bound), &count) in bounds.enumerate().zip(reading.cumulative()) {
        message.nested(3, |bucket| {
            bucket.unsigned(1, count);
            bucket.double(2, bound);
            reading.exemplar(place, |exemplar| bucket.nested(3, |message| write_exemplar(message, exemplar)));
        });
    }
    if let Some(buckets) = reading.native() {
        write_native(message, &buckets);
    }
}

fn write_native(message: &mut Message<'_>, buckets: &NativeBuckets) {
    message.zigzag(5, buckets.schema.into());
    message.double(6, zero_threshold());
    message.unsigned(7, buckets.zero);
    let spans = buckets.spans();
    for span in &spans {
        message.nested(12, |message| {
            message.zigzag(1, span.offset.into());
            message.unsigned(2, span.counts.len() as u64);
        });
    }
    let mut before = 0;
    for count in spans.iter().flat_map(|span| &span.counts) {
        // No count reaches `i64::MAX`.
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        message.zigzag(13, count - std::mem::replace(&mut before, count));
    }
}

fn write_exemplar(message: &mut Message<'_>, exemplar: &Exemplar) {
    write_label(message, exemplar.identity.label, &exemplar.identity.value);
    message.double(2, seconds(exemplar.nanos));
    message.nested(3, |timestamp| {
        timestamp.signed(1, i64::try_from(exemplar.taken.as_secs()).unwrap_or(i64::MAX));
        timestamp.signed(2, exemplar.taken.subsec_nanos().into());
    });
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
