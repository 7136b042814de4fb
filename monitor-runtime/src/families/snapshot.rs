//! The interface between metrics and formats: each metric pushes its samples into a sink.

use std::fmt;
use std::rc::Rc;

use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::families::catalog::Metric;

/// A label that distinguishes the samples of a series, after the labels of the series.
#[derive(Debug)]
pub(crate) struct ExtraLabel {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
    /// `,name="value"} `, the text form before a value.
    pub(crate) closed: &'static str,
    /// `,name="value",`, the text form before another label.
    pub(crate) open: &'static str,
}

/// The value of one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample<'a> {
    Counter(u64),
    Gauge(u64),
    /// A counter in billionths, which is exact to the last one.
    Nanos(u64),
    /// A gauge that need not be an integer.
    Decimal(f64),
    Histogram(HistogramSnapshot<'a>),
}

/// Receives the sorted samples of one metric.
pub(crate) trait Sink {
    /// Receives one sample.
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>);
}

/// A metric with a snapshot of its series, ready to be encoded.
pub(crate) struct MetricSnapshot {
    pub(crate) metric: &'static Metric,
    show: Show,
}

type Show = Box<dyn Fn(&mut dyn Sink)>;

impl MetricSnapshot {
    /// Makes a snapshot that encodes `readings`, which several metrics may share, by `show`.
    pub(crate) fn new<R: 'static>(
        metric: &'static Metric,
        readings: Rc<R>,
        show: impl Fn(&R, &mut dyn Sink) + 'static,
    ) -> Self {
        Self { metric, show: Box::new(move |sink| show(&readings, sink)) }
    }

    /// Pushes all samples into the sink.
    pub(crate) fn encode(&self, sink: &mut dyn Sink) {
        (self.show)(sink);
    }
}

impl fmt::Debug for MetricSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetricSnapshot").field(&self.metric.name).finish()
    }
}
