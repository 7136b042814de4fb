//! The layer's records since a test began, read back from the exposition.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use crate::support::exposition::Exposition;

/// Tests of this file take turns: the metrics are the process's, and the gauge has no labels to tell them apart.
static TURN: Mutex<()> = Mutex::const_new(());

/// A test's turn, and the totals when it began.
pub(crate) struct Recorded {
    before: BTreeMap<String, f64>,
    _turn: MutexGuard<'static, ()>,
}

impl Recorded {
    pub(crate) async fn start() -> Self {
        let turn = TURN.lock().await;
        // A test that failed with a request still open leaves its server to wind down.
        eventually(|| in_flight() == "0").await;
        Self { before: totals("http_requests_total"), _turn: turn }
    }

    /// Every series of `http_requests_total` that moved, as `method endpoint status = requests`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let moved = totals("http_requests_total").into_iter().filter_map(|(series, now)| {
            let by = now - self.before.get(&series).copied().unwrap_or_default();
            (by != 0.0).then(|| format!("{series} = {by}"))
        });
        moved.collect()
    }

    /// Asserts that exactly these requests were recorded, that each was timed too, and that none is open.
    #[track_caller]
    pub(crate) fn expect(&self, requests: &[&str]) {
        self.expect_in_flight(requests, "0");
    }

    /// Like [`expect`](Self::expect), with this number of requests or upgraded connections in flight.
    #[track_caller]
    pub(crate) fn expect_in_flight(&self, requests: &[&str], connections: &str) {
        assert_eq!(self.requests(), requests);
        assert_eq!(in_flight(), connections);
        assert_eq!(timed(), counted(), "a duration for every request");
    }

    /// Asserts that one request is open and nothing has been recorded yet.
    #[track_caller]
    pub(crate) fn still_open(&self) {
        assert_eq!(self.requests(), [""; 0]);
        assert_eq!(in_flight(), "1");
    }

    /// As [`expect`](Self::expect), for what a server notices in its own time.
    pub(crate) async fn expect_soon(&self, requests: &[&str]) {
        eventually(|| self.requests() == requests && in_flight() == "0").await;
        self.expect(requests);
    }
}

/// The gauge's value.
pub(crate) fn in_flight() -> String {
    scrape().value("http_requests_in_flight", &[]).expect("the gauge is there from the start").to_string()
}

/// Waits until it is so, or long enough to give up; the assertion that follows says what is wrong.
pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() && start.elapsed() < Duration::from_mins(1) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn scrape() -> Exposition {
    let text = monitor_runtime::metrics::render();
    Exposition::parse(&text).unwrap_or_else(|violation| panic!("{violation}\n{text}"))
}

/// The family's samples by the values of their labels.
fn totals(name: &str) -> BTreeMap<String, f64> {
    let series = |labels: &[(String, String)]| {
        labels.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
    };
    scrape().samples(name).map(|sample| (series(&sample.labels), sample.value)).collect()
}

/// Durations recorded, by method and endpoint.
fn timed() -> BTreeMap<String, String> {
    let counts = totals("http_request_duration_seconds_count").into_iter();
    counts.map(|(series, count)| (series, count.to_string())).collect()
}

/// Requests counted, by method and endpoint.
fn counted() -> BTreeMap<String, String> {
    let mut sums = BTreeMap::<String, f64>::new();
    for (series, total) in totals("http_requests_total") {
        let (route, _status) = series.rsplit_once(' ').expect("three labels");
        *sums.entry(route.to_owned()).or_default() += total;
    }
    sums.into_iter().map(|(route, sum)| (route, sum.to_string())).collect()
}
