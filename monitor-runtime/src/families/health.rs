//! The health of the process, read during a scrape. It changes with time alone, so a value set earlier would be wrong.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::cells::labels::Labels;
use crate::families::catalog;
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// A source of health, such as a monitor.
pub(crate) trait HealthSource: Send + Sync {
    /// Reads the current state without waiting.
    fn read(&self) -> HealthReading;
}

/// The health of a source at one moment.
#[derive(Debug)]
pub(crate) struct HealthReading {
    /// Whether readiness would answer 200.
    pub(crate) ready: bool,
    pub(crate) checks: Vec<CheckReading>,
}

/// The state of a check at that moment.
#[derive(Debug)]
pub(crate) struct CheckReading {
    pub(crate) name: String,
    pub(crate) healthy: bool,
    pub(crate) stale: bool,
}

static SOURCES: Mutex<Vec<Weak<dyn HealthSource>>> = Mutex::new(Vec::new());

/// Registers a source, which is shown as long as it lives.
pub(crate) fn register(source: Weak<dyn HealthSource>) {
    let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    sources.retain(|source| source.strong_count() > 0);
    sources.push(source);
}

/// Reads all sources.
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

/// The merged health of all sources: the process is as unhealthy as its worst source.
struct ProcessHealth {
    /// `None` if there is no source.
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

/// The sources that still exist. They are read after the lock is released.
fn living() -> Vec<Arc<dyn HealthSource>> {
    let sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    sources.iter().filter_map(Weak::upgrade).collect()
}
