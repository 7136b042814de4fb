//! Health checks, and the answers of the probes.
//!
//! A [`Monitor`](crate::Monitor) runs its checks in the background, concurrently, each at its own interval and with its
//! own deadline, and keeps the last result of each. A probe reads the kept results: it does no I/O and does not wait,
//! so the number of probes does not matter to the database. A result that has become stale is unhealthy.
//!
//! * `DatabaseCheck` queries the database of a sqlx pool (feature `sqlx`), [`check_database`] that of any other client.
//! * `DiskCheck` requires free space on the disk of a path (feature `disk`).
//! * [`check_fn`] makes a check from an async function, [`check_blocking`] from a blocking one.
//! * [`Check`] is the trait that all of them implement.
//! * [`Policy`] sets how often a check runs, how many runs change its state, and whether readiness depends on it.
//!
//! Messages are stable and meant for a public body. Errors of a driver or the operating system go to the log, in one
//! line when a check becomes unhealthy and one when it recovers.

mod checks;
mod engine;

pub use crate::probe::{ProbeError, probe};
#[cfg(feature = "sqlx")]
pub use checks::DatabaseCheck;
#[cfg(feature = "disk")]
pub use checks::DiskCheck;
pub use checks::{
    BlockingCheck, BoxFuture, Check, CheckError, CheckResult, DatabaseFnCheck, FnCheck, Report,
    check_blocking, check_database, check_fn,
};
pub use engine::Policy;

pub(crate) use engine::{Engine, Health, Plan, Rules, View};
#[cfg(feature = "runs")]
pub(crate) use engine::{Past, Transition};
#[cfg(test)]
pub(crate) use engine::{Severity, Status};
