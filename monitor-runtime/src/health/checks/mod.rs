//! The trait of all checks, and the checks of this crate.

mod blocking;
mod check;
#[cfg(feature = "sqlx")]
mod database;
mod database_fn;
mod degraded;
#[cfg(feature = "disk")]
mod disk;
mod function;
#[cfg(feature = "disk")]
mod space;
#[cfg(feature = "sqlx")]
mod sqlite_file;

pub use blocking::{BlockingCheck, check_blocking};
pub(super) use check::BoxError;
pub use check::{BoxFuture, Check, CheckError, CheckResult, Report};
#[cfg(feature = "sqlx")]
pub use database::DatabaseCheck;
pub use database_fn::{DatabaseFnCheck, check_database};
#[cfg(feature = "disk")]
pub use disk::DiskCheck;
pub use function::{FnCheck, check_fn};
