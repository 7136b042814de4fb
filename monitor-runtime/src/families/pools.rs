//! Connection pools, whose gauges are read during a scrape.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError, Weak};

use crate::cells::labels::Labels;
use crate::families::catalog;
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// A connection pool whose counts can be read.
pub(crate) trait PoolSource: Send + Sync {
    /// Reads the pool without waiting.
    fn read(&self) -> PoolReading;
}

/// The connections of a pool at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolReading {
    /// Leased connections.
    pub(crate) active: u64,
    /// Open connections that are not leased.
    pub(crate) idle: u64,
    /// The maximum number of connections.
    pub(crate) max: u64,
}

static POOLS: Mutex<BTreeMap<String, Weak<dyn PoolSource>>> = Mutex::new(BTreeMap::new());

/// Registers a pool, which is shown as long as its source lives. A later pool of the same name replaces it.
pub(crate) fn register(name: &str, source: Weak<dyn PoolSource>) {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), source);
}

/// Reads all pools.
pub(crate) fn read() -> Vec<MetricSnapshot> {
    let readings: Vec<_> = living()
        .into_iter()
        .map(|(name, source)| (Labels::new(&["pool"], &[&name]), source.read()))
        .collect();
    let readings = Rc::new(readings);
    let show = |metric, of: fn(&PoolReading) -> u64| {
        MetricSnapshot::new(metric, Rc::clone(&readings), move |pools: &Vec<_>, sink: &mut dyn Sink| {
            for (labels, reading) in pools {
                sink.push(labels, None, Sample::Gauge(of(reading)));
            }
        })
    };
    vec![
        show(&catalog::DB_CONNECTIONS_ACTIVE, |pool| pool.active),
        show(&catalog::DB_CONNECTIONS_IDLE, |pool| pool.idle),
        show(&catalog::DB_CONNECTIONS_MAX, |pool| pool.max),
    ]
}

/// The pools that still exist, sorted by name. Removes the others.
fn living() -> Vec<(String, std::sync::Arc<dyn PoolSource>)> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|_, source| source.strong_count() > 0);
    pools.iter().filter_map(|(name, source)| Some((name.clone(), source.upgrade()?))).collect()
}
