//! The metrics of HTTP requests.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::OnceLock;

use crate::cells::buckets::Buckets;
use crate::cells::exemplars::{Exemplars, Identity};
use crate::cells::histogram::Histogram;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::cells::stripes::{Cells, Stripe};
use crate::families::catalog;
use crate::families::family::{Family, Found};
use crate::families::method::MethodLabel;
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

pub(crate) const HTTP_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The metrics of all requests of the process, whichever layer saw them.
pub(crate) struct HttpMetrics {
    /// The labels of the gauge, which has none.
    no_labels: OnceLock<Labels>,
    pub(crate) requests: Family<RequestCount>,
    pub(crate) durations: Family<RequestDuration>,
}

/// The series that a request is recorded in.
#[derive(Clone, Copy)]
pub(crate) struct Route(&'static RequestDuration);

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Route").field(&self.0.labels.text()).finish()
    }
}

impl Route {
    /// Method and endpoint.
    pub(crate) fn labels(self) -> [&'static str; 2] {
        self.0.route()
    }

    /// Offers an ended request as the exemplar of its bucket.
    #[cold]
    pub(crate) fn offer_exemplar(self, nanos: u64, identity: Identity) {
        let Self(durations) = self;
        let exemplars = durations.exemplars.get_or_init(|| Exemplars::new(durations.buckets.bounds().len()));
        exemplars.offer(durations.buckets.shown(nanos), nanos, || Some(identity));
    }

    /// Adds a start that no end will follow; [`forget`](Self::forget) takes it back.
    pub(crate) fn start_again(self) {
        self.0.histogram.add_started(Stripe::of_this_thread(), 1);
    }

    /// Takes back a start that no end will follow.
    pub(crate) fn forget(self) {
        self.0.histogram.add_started(Stripe::of_this_thread(), 1_u64.wrapping_neg());
    }
}

/// A series that the thread has used, and the method for which it was found.
type CachedRoute = Cell<Option<(MethodLabel, &'static RequestDuration)>>;

thread_local! {
    /// A direct-mapped cache: a route overwrites the previous one in its slot.
    static ROUTE_CACHE: [CachedRoute; 32] = const { [const { Cell::new(None) }; 32] };
}

/// The metrics of this process.
pub(crate) fn metrics() -> &'static HttpMetrics {
    static METRICS: HttpMetrics = HttpMetrics {
        no_labels: OnceLock::new(),
        requests: Family::new(&catalog::HTTP_REQUESTS, catalog::HTTP_REQUESTS.labels, &HTTP_BUCKETS),
        durations: Family::new(&catalog::HTTP_DURATION, catalog::HTTP_DURATION.labels, &HTTP_BUCKETS),
    };
    &METRICS
}

impl HttpMetrics {
    /// Counts the start of a request, and finds its series.
    pub(crate) fn start(&'static self, method: MethodLabel, endpoint: &str) -> Route {
        let durations = self.find_durations(method, endpoint);
        durations.histogram.add_started(Stripe::of_this_thread(), 1);
        Route(durations)
    }

    /// Moves a request in flight to the route that matched.
    pub(crate) fn reroute(&'static self, from: Route, method: MethodLabel, endpoint: &str) -> Route {
        // Starts before it forgets: the request may be counted twice for a moment, but is never missing.
        let to = self.start(method, endpoint);
        from.forget();
        to
    }

    /// Whether there was a request to another endpoint.
    pub(crate) fn has_other_endpoint(&self, endpoint: &str) -> bool {
        self.durations.sorted().into_iter().any(|series| series.route()[1] != endpoint)
    }

    /// Finds the series of a route in the thread's cache, or in the family.
    #[inline]
    fn find_durations(&self, method: MethodLabel, endpoint: &str) -> &'static RequestDuration {
        // A router keeps the text of a route at one address, so the address spreads routes over the slots. Later
        // another text may be at that address, so the labels decide.
        let slot = (endpoint.as_ptr().addr() / size_of::<usize>()) ^ method as usize;
        ROUTE_CACHE.with(|cache| {
            let cached = &cache[slot % cache.len()];
            match cached.get() {
                Some((of, durations)) if of == method && durations.labels.second_is(endpoint) => durations,
                _ => self.look_up_durations(method, endpoint, cached),
            }
        })
    }

    #[cold]
    fn look_up_durations(
        &self,
        method: MethodLabel,
        endpoint: &str,
        cached: &CachedRoute,
    ) -> &'static RequestDuration {
        match self.durations.find(&[method.as_str(), endpoint]) {
            Found::Own(durations) => {
                cached.set(Some((method, durations)));
                durations
            }
            // Not cached, so that every use of the overflow series is counted.
            Found::Overflow(durations) => durations,
        }
    }

    /// Counts the end of a request. Each start is followed by exactly one end.
    pub(crate) fn finish(&self, Route(durations): Route, status: u16, nanos: u64) {
        let stripe = Stripe::of_this_thread();
        let requests = durations.known(status).unwrap_or_else(|| self.find_count(durations, status));
        requests.count.add(stripe, 0, 1);
        // The histogram comes last, since it takes the request out of flight: a reader that sees the end also sees the
        // count.
        durations.histogram.record_fully(stripe, nanos);
    }

    /// Finds the count of a status that the route does not remember.
    #[cold]
    fn find_count(&self, durations: &RequestDuration, status: u16) -> &'static RequestCount {
        let mut digits = itoa::Buffer::new();
        let [method, endpoint] = durations.route();
        match self.requests.find(&[method, endpoint, digits.format(status)]) {
            Found::Own(requests) => {
                durations.remember(status, requests);
                requests
            }
            // Not remembered, so that every use of the overflow series is counted.
            Found::Overflow(requests) => requests,
        }
    }

    /// The number of requests in flight.
    fn in_flight_now(&self) -> u64 {
        self.durations.sorted().into_iter().map(RequestDuration::in_flight).sum()
    }

    /// The requests in flight: method, endpoint and number.
    pub(crate) fn in_flight(&self) -> Vec<([&'static str; 2], u64)> {
        let counted = self.durations.sorted().into_iter().map(|series| (series.route(), series.in_flight()));
        counted.filter(|(_, requests)| *requests > 0).collect()
    }

    /// Reads each series when it is encoded; no metric of requests is derived from another.
    pub(crate) fn read(&'static self) -> Vec<MetricSnapshot> {
        let this = Rc::new(self);
        vec![
            MetricSnapshot::new(&catalog::HTTP_DURATION, Rc::clone(&this), |this, sink| {
                this.encode_durations(sink);
            }),
            MetricSnapshot::new(&catalog::HTTP_REQUESTS, Rc::clone(&this), |this, sink| {
                this.encode_requests(sink);
            }),
            MetricSnapshot::new(&catalog::HTTP_IN_FLIGHT, this, |this, sink| this.encode_in_flight(sink)),
        ]
    }

    fn encode_durations(&self, sink: &mut dyn Sink) {
        for series in self.durations.sorted() {
            series.histogram.read(|reading| {
                // A series is created when its first request starts, and shown once a request has ended.
                if reading.count() > 0 {
                    let reading = reading.with_exemplars(series.exemplars.get());
                    sink.push(&series.labels, None, Sample::Histogram(reading));
                }
            });
        }
    }

    fn encode_requests(&self, sink: &mut dyn Sink) {
        for series in self.requests.sorted() {
            sink.push(&series.labels, None, Sample::Counter(series.count.sum(0)));
        }
    }

    fn encode_in_flight(&self, sink: &mut dyn Sink) {
        let labels = self.no_labels.get_or_init(|| Labels::new(&[], &[]));
        sink.push(labels, None, Sample::Gauge(self.in_flight_now()));
    }
}

/// The number of requests of one method, endpoint and status.
pub(crate) struct RequestCount {
    pub(crate) labels: Labels,
    pub(crate) count: Cells,
}

impl RequestCount {
    /// Whether its status is one of a failure of the service: from 500 on.
    #[cfg(feature = "runs")]
    pub(crate) fn is_of_failures(&self) -> bool {
        self.labels
            .values()
            .last()
            .and_then(|status| status.parse::<u16>().ok())
            .is_some_and(|status| status >= 500)
    }
}

impl Series for RequestCount {
    fn new(labels: Labels, _: &'static Buckets) -> Self {
        Self { labels, count: Cells::new(1) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// The durations of the requests of one method and endpoint.
pub(crate) struct RequestDuration {
    pub(crate) labels: Labels,
    pub(crate) buckets: &'static Buckets,
    /// Requests that ended; the requests started share its cells.
    pub(crate) histogram: Histogram,
    exemplars: OnceLock<Exemplars>,
    /// The counts of the first statuses that occurred, which saves a look-up.
    counts: [OnceLock<(u16, &'static RequestCount)>; REMEMBERED],
}

/// The number of statuses that a route remembers; others are looked up.
const REMEMBERED: usize = 8;

impl RequestDuration {
    /// Method and endpoint.
    fn route(&self) -> [&str; 2] {
        self.labels.first_values()
    }

    /// The number of requests in flight.
    fn in_flight(&self) -> u64 {
        // Ends are read before starts, and every request that has ended has started, so the difference is never
        // negative.
        let ended = self.histogram.read(|reading| reading.count());
        self.histogram.started().saturating_sub(ended)
    }

    fn known(&self, status: u16) -> Option<&'static RequestCount> {
        let mut seen = self.counts.iter().map_while(OnceLock::get);
        seen.find(|(of, _)| *of == status).map(|(_, count)| *count)
    }

    /// Remembers the count of a status. Two threads may store the same status twice; the first entry is used.
    fn remember(&self, status: u16, count: &'static RequestCount) {
        let _ =
            self.counts.iter().find(|place| place.get().is_none()).map(|place| place.set((status, count)));
    }
}

impl Series for RequestDuration {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        let counts = [const { OnceLock::new() }; REMEMBERED];
        Self { labels, buckets, histogram: Histogram::new(buckets), exemplars: OnceLock::new(), counts }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}
