//! A sqlx pool as a source of gauges.

use sqlx::{Database, Pool};

use crate::families::pools::{PoolReading, PoolSource};

/// A pool whose connections are counted when somebody scrapes.
pub(crate) struct PoolGauge<DB: Database>(pub(crate) Pool<DB>);

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
