//! Health checks and what the probes say about them.
//!
//! A [`Monitor`](crate::Monitor) runs its checks in the background, side by side, each on its own interval and
//! under its own deadline, and keeps each check's last reading. A probe reads what is kept: it does no I/O and waits for
//! nothing, and a thousand probes cost the database nothing. Readings age, and an old one is unhealthy.
//!
//! * `DatabaseCheck` asks a sqlx pool's database a small question (feature `sqlx`).
//! * `DiskCheck` wants a number of bytes free on a path's disk (feature `disk`).
//! * [`check_fn`] makes a check of an async function, [`check_blocking`] of one that blocks.
//! * [`Check`] is what all of them implement.
//! * [`Policy`] says how often a check runs, how many runs turn it, and whether readiness depends on it.
//!
//! Messages are stable and made for a public body. What a driver or the operating system said goes to the log,
//! in one line when a check turns unhealthy and one when it is back.

mod checks;
mod engine;

pub use crate::probe::{ProbeError, probe};
#[cfg(feature = "sqlx")]
pub use checks::DatabaseCheck;
#[cfg(feature = "disk")]
pub use checks::DiskCheck;
pub use checks::{
    BlockingCheck, BoxFuture, Check, CheckError, CheckResult, FnCheck, Report, check_blocking, check_fn,
};
pub use engine::Policy;

pub(crate) use engine::{Engine, Health, Plan, Rules, View};
#[cfg(test)]
pub(crate) use engine::{Severity, Status};
