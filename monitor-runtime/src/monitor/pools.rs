//! The connection pools whose gauges a monitor shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::BuildError;
use crate::families::pools::{self, PoolSource};

/// Pools by name, in the order given. The registry keeps weak references, so a pool is shown while this holds its
/// source.
#[derive(Default)]
pub(super) struct Pools(Vec<(String, Arc<PoolSource>)>);

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

    pub(super) fn push(&mut self, name: String, source: Arc<PoolSource>) {
        self.0.push((name, source));
    }

    pub(super) fn into_sources(self) -> Vec<Arc<PoolSource>> {
        self.0.into_iter().map(|(_, source)| source).collect()
    }

    pub(super) fn register(&self) {
        for (name, source) in &self.0 {
            pools::register(name, Arc::downgrade(source));
        }
    }
}
