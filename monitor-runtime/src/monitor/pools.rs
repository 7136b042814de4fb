//! The pools whose gauges a monitor shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{Database, Pool};

use super::error::BuildError;
use crate::families::pools::{self, PoolReading, PoolSource};

/// A pool whose connections are counted when somebody scrapes.
struct PoolGauge<DB: Database>(Pool<DB>);

impl<DB: Database> PoolSource for PoolGauge<DB> {
    fn read(&self) -> PoolReading {
        let (open, idle) = (u64::from(self.0.size()), self.0.num_idle() as u64);
        // The pool counts both by themselves, and one can be ahead of the other for a moment.
        PoolReading {
            active: open.saturating_sub(idle),
            idle,
            max: self.0.options().get_max_connections().into(),
        }
    }
}

/// Pools by name, in the order given. The registry keeps weak references: a pool is shown while its source is held.
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
