//! Where readings go: one walk over the series feeds the text form and the `prometheus` form alike.

use std::fmt;
use std::rc::Rc;

use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::families::catalog::Metric;

/// One label that tells the samples of a series apart, behind those of the series.
#[derive(Debug)]
pub(crate) struct ExtraLabel {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
    /// `,name="value"} `, as it stands before a value in the text form.
    pub(crate) closed: &'static str,
    /// `,name="value",`, as it stands before another label.
    pub(crate) open: &'static str,
}

/// The value of one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample<'a> {
    Counter(u64),
    Gauge(u64),
    /// A gauge that is no whole number.
    Decimal(f64),
    Histogram(HistogramSnapshot<'a>),
}

/// Takes the samples of one metric, sorted.
pub(crate) trait Sink {
    /// Takes one sample.
    fn push(&mut self, labels: &Labels, extra: Option<&ExtraLabel>, sample: Sample<'_>);
}

/// A metric whose series have been read, to be shown when its turn comes.
pub(crate) struct MetricSnapshot {
    pub(crate) metric: &'static Metric,
    show: Show,
}

type Show = Box<dyn Fn(&mut dyn Sink)>;

impl MetricSnapshot {
    /// Shows of `readings`, which several metrics may share, what `show` says.
    pub(crate) fn new<R: 'static>(
        metric: &'static Metric,
        readings: Rc<R>,
        show: impl Fn(&R, &mut dyn Sink) + 'static,
    ) -> Self {
        Self { metric, show: Box::new(move |sink| show(&readings, sink)) }
    }

    /// Shows every sample.
    pub(crate) fn encode(&self, sink: &mut dyn Sink) {
        (self.show)(sink);
    }
}

impl fmt::Debug for MetricSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MetricSnapshot").field(&self.metric.name).finish()
    }
}
