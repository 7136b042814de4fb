//! The peers, each set up by its documentation, with our buckets and our number of labels.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use autometrics::settings::AutometricsSettings;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::bodies::work;
use crate::harness::time;

/// The buckets of agents.
pub(crate) const BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// The three families of an agent, in the `prometheus` crate.
pub(crate) struct Vecs {
    pub(crate) total: IntCounterVec,
    pub(crate) duration: HistogramVec,
    pub(crate) active: IntGaugeVec,
}

impl Vecs {
    pub(crate) fn new() -> Self {
        let labels = ["agent_id", "status"];
        let total = IntCounterVec::new(Opts::new("executions_total", "Calls that ended."), &labels);
        let duration =
            HistogramOpts::new("duration_seconds", "How long calls took.").buckets(BUCKETS.to_vec());
        let duration = HistogramVec::new(duration, &labels);
        let active = IntGaugeVec::new(Opts::new("active", "Calls that have not ended."), &labels[..1]);
        match (total, duration, active) {
            (Ok(total), Ok(duration), Ok(active)) => Self { total, duration, active },
            _ => unreachable!("the names are valid"),
        }
    }
}

struct Handles {
    total: prometheus::IntCounter,
    duration: prometheus::Histogram,
    active: prometheus::IntGauge,
}

static HANDLES: LazyLock<Handles> = LazyLock::new(|| {
    let vecs = Vecs::new();
    Handles {
        total: vecs.total.with_label_values(&["planner", "success"]),
        duration: vecs.duration.with_label_values(&["planner", "success"]),
        active: vecs.active.with_label_values(&["planner"]),
    }
});

/// Reads the clock by hand: each status has its histogram, and the status is known only at the end.
#[inline(never)]
pub(crate) fn prometheus(number: u64) -> u64 {
    let handles = &*HANDLES;
    handles.active.inc();
    let start = Instant::now();
    let result = work(number);
    handles.duration.observe(start.elapsed().as_secs_f64());
    handles.total.inc();
    handles.active.dec();
    result
}

/// Uses the crate's own timer, as in its examples, which needs the histogram at the start.
#[inline(never)]
pub(crate) fn prometheus_timer(number: u64) -> u64 {
    let handles = &*HANDLES;
    handles.active.inc();
    let timer = handles.duration.start_timer();
    let result = work(number);
    timer.observe_duration();
    handles.total.inc();
    handles.active.dec();
    result
}

pub(crate) type AgentFamily<M> = Family<AgentLabels, M, fn() -> M>;
pub(crate) type CallFamily<M> = Family<CallLabels, M, fn() -> M>;

/// Labels as the crate's documentation has them: a type that derives its encoding, with its text owned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, prometheus_client::encoding::EncodeLabelSet)]
pub(crate) struct AgentLabels {
    pub(crate) agent_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, prometheus_client::encoding::EncodeLabelSet)]
pub(crate) struct CallLabels {
    pub(crate) agent_id: String,
    pub(crate) status: &'static str,
}

/// The same three families of `prometheus-client`.
pub(crate) struct Families {
    pub(crate) total: CallFamily<Counter>,
    pub(crate) duration: CallFamily<Histogram>,
    pub(crate) active: AgentFamily<Gauge>,
}

impl Families {
    pub(crate) fn new() -> Self {
        Self {
            total: Family::new_with_constructor(Counter::default),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            active: Family::new_with_constructor(Gauge::default),
        }
    }
}

struct ClientHandles {
    total: Counter<u64, AtomicU64>,
    duration: Histogram,
    active: Gauge,
}

static CLIENT_HANDLES: LazyLock<ClientHandles> = LazyLock::new(|| {
    let families = Families::new();
    let agent = AgentLabels { agent_id: "planner".to_owned() };
    let call = CallLabels { agent_id: "planner".to_owned(), status: "success" };
    ClientHandles {
        total: families.total.get_or_create_owned(&call),
        duration: families.duration.get_or_create_owned(&call),
        active: families.active.get_or_create_owned(&agent),
    }
});

#[inline(never)]
pub(crate) fn prometheus_client(number: u64) -> u64 {
    let handles = &*CLIENT_HANDLES;
    handles.active.inc();
    let start = Instant::now();
    let result = work(number);
    handles.duration.observe(start.elapsed().as_secs_f64());
    handles.total.inc();
    handles.active.dec();
    result
}

/// The exporter behind the `metrics` macros.
pub(crate) struct Recorder(PrometheusHandle);

impl Recorder {
    pub(crate) fn install() -> Self {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let handle = builder
            .map_err(|error| error.to_string())
            .and_then(|builder| builder.install_recorder().map_err(|error| error.to_string()));
        Self(handle.unwrap_or_else(|error| unreachable!("nothing else installs a recorder: {error}")))
    }

    /// Times the macros, without the upkeep that drains their histograms, which is a separate task in a service.
    pub(crate) fn time(&self, times: u64) -> Duration {
        let elapsed = time(times, metrics_macros);
        self.0.run_upkeep();
        elapsed
    }
}

#[inline(never)]
fn metrics_macros(number: u64) -> u64 {
    let active = metrics::gauge!("active", "agent_id" => "planner");
    active.increment(1);
    let start = Instant::now();
    let result = work(number);
    let seconds = start.elapsed().as_secs_f64();
    metrics::histogram!("duration_seconds", "agent_id" => "planner", "status" => "success").record(seconds);
    metrics::counter!("executions_total", "agent_id" => "planner", "status" => "success").increment(1);
    active.decrement(1);
    result
}

/// Gives `autometrics` our buckets in place of its own 14.
pub(crate) fn set_up_autometrics() {
    AutometricsSettings::builder().histogram_buckets(BUCKETS).init();
}

#[inline(never)]
#[autometrics::autometrics(track_concurrency)]
pub(crate) fn autometrics(number: u64) -> u64 {
    work(number)
}

#[inline(never)]
#[tracing::instrument(skip_all, fields(agent_id = "planner"))]
pub(crate) fn instrumented(number: u64) -> u64 {
    work(number)
}

#[inline(never)]
#[fastrace::trace]
pub(crate) fn fastrace(number: u64) -> u64 {
    work(number)
}
