//! The gRPC calls of the HTTP layer, by their status.

use std::rc::Rc;

use crate::cells::buckets::Buckets;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::cells::stripes::{Cells, Stripe};
use crate::families::catalog;
use crate::families::family::{Family, Found};
use crate::families::snapshot::{MetricSnapshot, Sample};

/// The gRPC calls of this process that ended, whichever layer saw them.
pub(crate) struct GrpcMetrics {
    calls: Family<CallCount>,
}

/// Returns the metrics of the process.
pub(crate) fn metrics() -> &'static GrpcMetrics {
    static METRICS: GrpcMetrics =
        GrpcMetrics { calls: Family::new(&catalog::GRPC_REQUESTS, catalog::GRPC_REQUESTS.labels, &[]) };
    &METRICS
}

impl GrpcMetrics {
    /// Counts a call that ended.
    pub(crate) fn count(&self, service: &str, method: &str, code: &str) {
        let (Found::Own(calls) | Found::Overflow(calls)) = self.calls.find(&[service, method, code]);
        calls.count.add(Stripe::of_this_thread(), 0, 1);
    }

    pub(crate) fn read(&'static self) -> Vec<MetricSnapshot> {
        vec![MetricSnapshot::new(&catalog::GRPC_REQUESTS, Rc::new(self), |this, sink| {
            for series in this.calls.sorted() {
                sink.push(&series.labels, None, Sample::Counter(series.count.sum(0)));
            }
        })]
    }
}

/// The calls of one service, method and status.
struct CallCount {
    labels: Labels,
    count: Cells,
}

impl Series for CallCount {
    fn new(labels: Labels, _: &'static Buckets) -> Self {
        Self { labels, count: Cells::new(1) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}
