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

mod accept;
mod answer;
mod blocking;
mod check;
#[cfg(feature = "sqlx")]
mod database;
#[cfg(feature = "disk")]
mod disk;
mod engine;
mod function;
mod guard;
#[cfg(feature = "http")]
mod heartbeat;
#[cfg(feature = "http")]
mod held;
mod journal;
mod policy;
#[cfg(feature = "sqlx")]
mod pool;
mod probe;
mod question;
#[cfg(feature = "http")]
mod routes;
mod run;
#[cfg(feature = "disk")]
mod space;
#[cfg(feature = "sqlx")]
mod sqlite_file;
mod state;
mod supervised;
mod verbose;

pub use blocking::{BlockingCheck, check_blocking};
pub use check::{BoxFuture, Check, CheckError, CheckResult, Report};
#[cfg(feature = "sqlx")]
pub use database::DatabaseCheck;
#[cfg(feature = "disk")]
pub use disk::DiskCheck;
pub use function::{FnCheck, check_fn};
pub use policy::Policy;
pub use probe::{ProbeError, probe};

pub(crate) use answer::{
    alive, method_not_allowed, negotiated, one_check, readiness, startup, text, unauthorized,
};
pub(crate) use engine::Engine;
pub(crate) use guard::Guard;
#[cfg(feature = "http")]
pub(crate) use heartbeat::Heartbeat;
pub(crate) use policy::Rules;
#[cfg(feature = "sqlx")]
pub(crate) use pool::PoolGauge;
pub(crate) use question::{Probe, Question};
#[cfg(feature = "http")]
pub(crate) use routes::{PATHS, admin_routes, routes};
pub(crate) use supervised::Plan;
