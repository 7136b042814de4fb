//! Connection pools whose gauges are read when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, Weak};

use super::labels::Labels;
use super::sink::{Sample, Sink};
use crate::catalog;

/// Something that knows how many connections a pool has.
pub(crate) trait PoolSource: Send + Sync {
    /// Reads the pool without waiting.
    fn read(&self) -> PoolReading;
}

/// What a pool holds at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolReading {
    /// Connections that are leased.
    pub(crate) active: u64,
    /// Connections that are open and not leased.
    pub(crate) idle: u64,
    /// Connections the pool may open.
    pub(crate) max: u64,
}

static POOLS: Mutex<BTreeMap<String, Weak<dyn PoolSource>>> = Mutex::new(BTreeMap::new());

/// Shows a pool for as long as its source lives; of one name, the last registered is shown.
pub(crate) fn register(name: &str, source: Weak<dyn PoolSource>) {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), source);
}

pub(crate) fn collect<S: Sink>() -> Vec<S> {
    let mut active = S::new(&catalog::DB_CONNECTIONS_ACTIVE);
    let mut idle = S::new(&catalog::DB_CONNECTIONS_IDLE);
    let mut max = S::new(&catalog::DB_CONNECTIONS_MAX);
    for (name, source) in living() {
        let labels = Labels::new(&["pool"], &[&name]);
        let reading = source.read();
        active.push(&labels, None, Sample::Gauge(reading.active));
        idle.push(&labels, None, Sample::Gauge(reading.idle));
        max.push(&labels, None, Sample::Gauge(reading.max));
    }
    vec![active, idle, max]
}

/// The pools that are still there, sorted by name; the others are forgotten.
fn living() -> Vec<(String, std::sync::Arc<dyn PoolSource>)> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|_, source| source.strong_count() > 0);
    pools.iter().filter_map(|(name, source)| Some((name.clone(), source.upgrade()?))).collect()
}
