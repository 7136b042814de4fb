//! The connection pools whose gauges a monitor shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{Database, Pool};

use super::error::BuildError;
use crate::families::pools::{self, PoolReading, PoolSource};

/// Reads the connections of a pool during a scrape.
struct PoolGauge<DB: Database>(Pool<DB>);

impl<DB: Database> PoolSource for PoolGauge<DB> {
    fn read(&self) -> PoolReading {
        let (open, idle) = (u64::from(self.0.size()), self.0.num_idle() as u64);
        // The pool updates the two counters independently, so `idle` may be ahead of `open` for a moment.
        PoolReading {
            active: open.saturating_sub(idle),
            idle,
            max: self.0.options().get_max_connections().into(),
        }
    }
}

/// Pools by name, in the order given. The registry keeps weak references, so a pool is shown while this holds its
/// source.
#[derive(Default)]
pub(super) struct Pools(Vec<(String, Arc<dyn PoolSource>)>);

impl Pools {
    pub(super) fn validate(&self) -> Result<(), BuildError> {
        let mut seen = BTreeSet::new();
        for (name, _) in &self.0 {
            if name.is_empty() {
                return Err(BuildError::EmptyPoolName);
            }
            if !seen.insert(name) {
                return Err(BuildError::DuplicatePool { name: name.clone() });
            }
        }
        Ok(())
    }

    pub(super) fn push<DB: Database>(&mut self, name: String, pool: Pool<DB>) {
        self.0.push((name, Arc::new(PoolGauge(pool))));
    }

    pub(super) fn into_sources(self) -> Vec<Arc<dyn PoolSource>> {
        self.0.into_iter().map(|(_, source)| source).collect()
    }

    pub(super) fn register(&self) {
        for (name, source) in &self.0 {
            pools::register(name, Arc::downgrade(source));
        }
    }
}
