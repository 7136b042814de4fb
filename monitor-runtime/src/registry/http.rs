//! The metrics of the HTTP layer.

use super::family::{Family, Series};
use super::histogram::{Buckets, Histogram};
use super::labels::Labels;
use super::shard::{Cells, Stripe};
use super::sink::{Sample, Sink};
use crate::catalog;

const HTTP_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Requests of this process, whatever layer saw them.
pub(crate) struct HttpMetrics {
    /// Word 0 of the cells, made at first use.
    in_flight: std::sync::OnceLock<InFlight>,
    requests: Family<RequestCount>,
    pub(crate) durations: Family<RequestDuration>,
}

struct InFlight {
    cells: Cells,
    labels: Labels,
}

const STARTED: usize = 0;
const ENDED: usize = 1;

/// The one set of this process.
pub(crate) fn metrics() -> &'static HttpMetrics {
    static METRICS: HttpMetrics = HttpMetrics {
        in_flight: std::sync::OnceLock::new(),
        requests: Family::new(&catalog::HTTP_REQUESTS, catalog::HTTP_REQUESTS.labels, &HTTP_BUCKETS),
        durations: Family::new(&catalog::HTTP_DURATION, catalog::HTTP_DURATION.labels, &HTTP_BUCKETS),
    };
    &METRICS
}

impl HttpMetrics {
    /// Counts a request that arrived.
    pub(crate) fn start(&self) {
        self.in_flight().cells.add(Stripe::of_this_thread(), STARTED, 1);
    }

    /// Counts a request that ended; each start is followed by exactly one end.
    pub(crate) fn finish(&self, method: &'static str, endpoint: &str, status: u16, nanos: u64) {
        let stripe = Stripe::of_this_thread();
        let mut digits = itoa::Buffer::new();
        self.requests.get(&[method, endpoint, digits.format(status)]).count.add(stripe, 0, 1);
        self.durations.get(&[method, endpoint]).histogram.record(stripe, nanos);
        self.in_flight().cells.add(stripe, ENDED, 1);
    }

    /// How many requests have started and not ended.
    pub(crate) fn in_flight_now(&self) -> u64 {
        let cells = &self.in_flight().cells;
        let ended = cells.sum(ENDED);
        cells.sum(STARTED).saturating_sub(ended)
    }

    fn in_flight(&self) -> &InFlight {
        self.in_flight.get_or_init(|| InFlight { cells: Cells::new(2), labels: Labels::new(&[], &[]) })
    }

    pub(crate) fn collect<S: Sink>(&self) -> Vec<S> {
        let mut durations = S::new(&catalog::HTTP_DURATION);
        for series in self.durations.sorted() {
            durations.push(&series.labels, None, Sample::Histogram(&series.histogram.read()));
        }
        let mut requests = S::new(&catalog::HTTP_REQUESTS);
        for series in self.requests.sorted() {
            requests.push(&series.labels, None, Sample::Counter(series.count.sum(0)));
        }
        let mut in_flight = S::new(&catalog::HTTP_IN_FLIGHT);
        in_flight.push(&self.in_flight().labels, None, Sample::Gauge(self.in_flight_now()));
        vec![durations, in_flight, requests]
    }
}

/// The requests of one method, endpoint and status.
struct RequestCount {
    labels: Labels,
    count: Cells,
}

impl Series for RequestCount {
    fn new(labels: Labels, _: &'static Buckets) -> Self {
        Self { labels, count: Cells::new(1) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// The durations of one method and endpoint.
pub(crate) struct RequestDuration {
    labels: Labels,
    histogram: Histogram,
}

impl Series for RequestDuration {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        Self { labels, histogram: Histogram::new(buckets) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}
