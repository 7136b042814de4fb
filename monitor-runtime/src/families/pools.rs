//! Connection pools, whose gauges are read during a scrape.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::cells::labels::Labels;
use crate::error_chain::panic_message;
use crate::families::catalog;
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// Reads a connection pool, without waiting.
pub(crate) type PoolSource = dyn Fn() -> PoolState + Send + Sync;

/// The connections of a pool at one moment.
///
/// ```
/// use monitor_runtime::PoolState;
///
/// assert_eq!(PoolState::of_open(7_u32, 4_usize, 10), PoolState { active: 3, idle: 4, max: 10 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolState {
    /// Leased connections.
    pub active: u64,
    /// Open connections that are not leased.
    pub idle: u64,
    /// The maximum number of connections; 0 if it is not known.
    pub max: u64,
}

impl PoolState {
    /// Creates the state of a pool that counts its open and its idle connections, as most do; the difference is leased.
    ///
    /// It takes all integers, since pools count in different ones. A negative number counts as 0, and so does the
    /// difference if `idle` is larger than `open`, since a pool may update the two independently.
    pub fn of_open(open: impl TryInto<u64>, idle: impl TryInto<u64>, max: impl TryInto<u64>) -> Self {
        let (open, idle) = (open.try_into().unwrap_or(0), idle.try_into().unwrap_or(0));
        Self { active: open.saturating_sub(idle), idle, max: max.try_into().unwrap_or(0) }
    }

    /// Whether the next query has to wait for a connection.
    pub(crate) fn is_saturated(self) -> bool {
        self.max > 0 && self.idle == 0 && self.active >= self.max
    }
}

static POOLS: Mutex<BTreeMap<String, Weak<PoolSource>>> = Mutex::new(BTreeMap::new());

/// Registers a pool, which is shown as long as its source lives. A later pool of the same name replaces it.
pub(crate) fn register(name: &str, source: Weak<PoolSource>) {
    POOLS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), source);
}

/// Reads all pools.
pub(crate) fn read() -> Vec<MetricSnapshot> {
    let readings: Vec<_> = living()
        .into_iter()
        .filter_map(|(name, source)| Some((Labels::new(&["pool"], &[&name]), read_one(&name, &source)?)))
        .collect();
    let readings = Rc::new(readings);
    let show = |metric, of: fn(&PoolState) -> u64| {
        MetricSnapshot::new(metric, Rc::clone(&readings), move |pools: &Vec<_>, sink: &mut dyn Sink| {
            for (labels, state) in pools {
                sink.push(labels, None, Sample::Gauge(of(state)));
            }
        })
    };
    vec![
        show(&catalog::DB_CONNECTIONS_ACTIVE, |pool| pool.active),
        show(&catalog::DB_CONNECTIONS_IDLE, |pool| pool.idle),
        show(&catalog::DB_CONNECTIONS_MAX, |pool| pool.max),
    ]
}

/// The pools at this moment, sorted by name.
#[cfg(feature = "runs")]
pub(crate) fn states() -> Vec<(String, PoolState)> {
    let read = |(name, source): (String, Arc<PoolSource>)| {
        let state = read_one(&name, &source)?;
        Some((name, state))
    };
    living().into_iter().filter_map(read).collect()
}

/// Reads one pool. The source may be the user's own: its panic costs its gauges and not the scrape.
fn read_one(pool: &str, source: &Arc<PoolSource>) -> Option<PoolState> {
    let state = catch_unwind(AssertUnwindSafe(|| source()));
    let panicked = |panic: Box<dyn std::any::Any + Send>| {
        let panic = panic_message(&*panic);
        tracing::warn!(target: "monitor_runtime::metrics", pool, panic, "a pool could not be read; its gauges are left out");
    };
    state.map_err(panicked).ok()
}

/// The pools that still exist, sorted by name. Removes the others.
fn living() -> Vec<(String, Arc<PoolSource>)> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|_, source| source.strong_count() > 0);
    pools.iter().filter_map(|(name, source)| Some((name.clone(), source.upgrade()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_takes_all_integers_and_is_never_below_zero() {
        let state = |active, idle, max| PoolState { active, idle, max };
        assert_eq!(PoolState::of_open(3_u16, 1_u8, 8_i64), state(2, 1, 8));
        assert_eq!(PoolState::of_open(1_u32, 2_usize, 8_u32), state(0, 2, 8));
        assert_eq!(PoolState::of_open(-1, -1, -1), state(0, 0, 0));
    }

    #[test]
    fn pool_is_saturated_if_it_is_full_and_has_no_idle_connection() {
        let is_saturated = |active, idle, max| PoolState { active, idle, max }.is_saturated();
        assert!(is_saturated(2, 0, 2));
        assert!(is_saturated(3, 0, 2), "its maximum was lowered");
        assert!(!is_saturated(1, 1, 2));
        assert!(!is_saturated(1, 0, 2), "it may open another");
        assert!(!is_saturated(2, 1, 2));
        assert!(!is_saturated(0, 0, 0), "its maximum is not known");
    }
}
