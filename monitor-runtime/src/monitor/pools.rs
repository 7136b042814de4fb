//! The pools whose gauges a monitor shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::builder::MonitorBuilder;
use super::error::BuildError;
use crate::families::pools::{self, PoolSource};
use crate::health::PoolGauge;

/// Pools by name, in the order given. The registry keeps weak references: who holds this shows the pools.
#[derive(Default)]
pub(super) struct Pools(Vec<(String, Arc<dyn PoolSource>)>);

impl MonitorBuilder {
    /// Shows a sqlx pool's connections as `db_connections_active`, `_idle` and `_max`, read at each scrape, for as
    /// long as the monitor lives.
    ///
    /// Of monitors that name a pool alike, the last one built shows its own.
    pub fn pool<DB: sqlx::Database>(mut self, name: impl Into<String>, pool: &sqlx::Pool<DB>) -> Self {
        self.pools.0.push((name.into(), Arc::new(PoolGauge(pool.clone()))));
        self
    }
}

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

    pub(super) fn register(&self) {
        for (name, source) in &self.0 {
            pools::register(name, Arc::downgrade(source));
        }
    }
}
