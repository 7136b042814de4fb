//! Health as it is when somebody scrapes: it changes by time alone, so nothing that was set earlier can stand for it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::cells::labels::Labels;
use crate::families::catalog;
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// Something that knows how healthy it is.
pub(crate) trait HealthSource: Send + Sync {
    /// Reads its state as of now, without waiting.
    fn read(&self) -> HealthReading;
}

/// How healthy a source is at one moment.
#[derive(Debug)]
pub(crate) struct HealthReading {
    /// Whether readiness would be answered 200.
    pub(crate) ready: bool,
    pub(crate) checks: Vec<CheckReading>,
}

/// How one check is at that moment.
#[derive(Debug)]
pub(crate) struct CheckReading {
    pub(crate) name: String,
    pub(crate) healthy: bool,
    pub(crate) stale: bool,
}

static SOURCES: Mutex<Vec<Weak<dyn HealthSource>>> = Mutex::new(Vec::new());

/// Shows a source's health for as long as it lives.
pub(crate) fn register(source: Weak<dyn HealthSource>) {
    let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    sources.retain(|source| source.strong_count() > 0);
    sources.push(source);
}

/// Reads every source.
pub(crate) fn read() -> Vec<MetricSnapshot> {
    let health = Rc::new(ProcessHealth::of(living().iter().map(|source| source.read())));
    let encode_checks = |metric, of: fn(&State) -> bool| {
        MetricSnapshot::new(metric, Rc::clone(&health), move |health: &ProcessHealth, sink: &mut dyn Sink| {
            for (labels, state) in &health.checks {
                sink.push(labels, None, Sample::Gauge(of(state).into()));
            }
        })
    };
    vec![
        MetricSnapshot::new(
            &catalog::HEALTH_READY,
            Rc::clone(&health),
            |health: &ProcessHealth, sink: &mut dyn Sink| {
                if let Some(ready) = health.ready {
                    sink.push(&Labels::new(&[], &[]), None, Sample::Gauge(ready.into()));
                }
            },
        ),
        encode_checks(&catalog::HEALTH_STATUS, |state| state.healthy),
        encode_checks(&catalog::HEALTH_STALE, |state| state.stale),
    ]
}

/// All sources of the process as one: what ails one of them ails the process.
struct ProcessHealth {
    /// `None` without a source.
    ready: Option<bool>,
    /// Sorted by name.
    checks: Vec<(Labels, State)>,
}

#[derive(Clone, Copy)]
struct State {
    healthy: bool,
    stale: bool,
}

impl ProcessHealth {
    fn of(readings: impl Iterator<Item = HealthReading>) -> Self {
        let (mut ready, mut checks) = (None, BTreeMap::new());
        for reading in readings {
            ready = Some(reading.ready && ready.unwrap_or(true));
            for CheckReading { name, healthy, stale } in reading.checks {
                let state = checks.entry(name).or_insert(State { healthy, stale });
                *state = State { healthy: state.healthy && healthy, stale: state.stale || stale };
            }
        }
        let labelled = |(name, state): (String, State)| (Labels::new(&["check"], &[&name]), state);
        Self { ready, checks: checks.into_iter().map(labelled).collect() }
    }
}

/// The sources that are still there. They are read after the lock is gone.
fn living() -> Vec<Arc<dyn HealthSource>> {
    let sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    sources.iter().filter_map(Weak::upgrade).collect()
}
