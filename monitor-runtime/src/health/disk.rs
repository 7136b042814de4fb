//! Room on a disk.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sysinfo::{DiskRefreshKind, Disks};

use super::blocking::OneCall;
use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT};
use crate::registry::process;

/// 1 GB, in the meaning of the SI and of disk makers.
const GIGABYTE: u64 = 1_000_000_000;

/// Wants more than a number of bytes free on the disk that holds a path.
///
/// The check is named `disk`, wants more than 1 GB (10⁹ bytes) free for unprivileged users and has 5 seconds. It
/// says `12.34 GB free`, or `low disk space: 0.50 GB free, 1.00 GB needed`; what is free is rounded down and what
/// is needed up, so that a shortage shows. A path that is not there, or that no listed disk holds, is unhealthy;
/// the path itself goes to the log only.
///
/// The disk is the one whose mount point is the longest beginning of the path, links resolved. The reading is
/// made off the async runtime; while one hangs (a dead network mount), no second one is started. On Linux the
/// mounts below `/run`, `/proc` and `/sys` are not listed. `disk_free_bytes` and `disk_size_bytes` show the last reading,
/// by the path as it was given.
///
/// ```
/// use monitor_runtime::Monitor;
/// use monitor_runtime::health::DiskCheck;
///
/// let monitor = Monitor::builder().check(DiskCheck::new("/").min_free_bytes(500_000_000)).build()?;
/// # Ok::<(), monitor_runtime::BuildError>(())
/// ```
pub struct DiskCheck {
    name: Cow<'static, str>,
    timeout: Duration,
    path: PathBuf,
    min_free: u64,
    reading: OneCall<Result<Space, DiskError>>,
}

impl DiskCheck {
    /// Makes the check of the disk that holds `path`, which is looked up anew at each run.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            name: "disk".into(),
            timeout: DEFAULT_TIMEOUT,
            path: path.into(),
            min_free: GIGABYTE,
            reading: OneCall::new(),
        }
    }

    /// Sets the name; `disk` when not set.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how many bytes are too few: the check passes with more than that free. 10⁹ when not set.
    pub fn min_free_bytes(mut self, bytes: u64) -> Self {
        self.min_free = bytes;
        self
    }

    /// Sets how long a run may take; 5 seconds when not set, and more than zero.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn free_bytes(&self) -> Result<u64, CheckError> {
        let path = self.path.clone();
        match self.reading.make(move || read(&path)).await {
            Ok(Ok(space)) => {
                space.show(&self.path);
                Ok(space.free)
            }
            Ok(Err(error)) => Err(CheckError::new(error.message()).caused_by(error)),
            Err(error) => Err(CheckError::new("disk could not be read").caused_by(error)),
        }
    }
}

impl Check for DiskCheck {
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn run(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async move { judge(self.free_bytes().await?, self.min_free) })
    }
}

impl fmt::Debug for DiskCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskCheck")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .field("path", &self.path)
            .field("min_free_bytes", &self.min_free)
            .finish_non_exhaustive()
    }
}

fn judge(free: u64, min_free: u64) -> CheckResult {
    let (free_gb, needed_gb) = (gigabytes(free / 10_000_000), gigabytes(min_free.div_ceil(10_000_000)));
    if free > min_free {
        Ok(format!("{free_gb} free").into())
    } else {
        Err(CheckError::new(format!("low disk space: {free_gb} free, {needed_gb} needed")))
    }
}

fn gigabytes(hundredths: u64) -> String {
    format!("{}.{:02} GB", hundredths / 100, hundredths % 100)
}

/// What a disk says of itself, in bytes.
struct Space {
    free: u64,
    size: u64,
}

impl Space {
    fn show(&self, path: &Path) {
        let (metrics, path) = (process::metrics(), path.to_string_lossy());
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        metrics.disk_free.with_label_values(&[&*path]).set(bytes(self.free));
        metrics.disk_size.with_label_values(&[&*path]).set(bytes(self.size));
    }
}

fn read(path: &Path) -> Result<Space, DiskError> {
    let canonical = path.canonicalize().map_err(|source| DiskError::Path { path: path.into(), source })?;
    let mut disks =
        Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing()).map_err(DiskError::List)?;
    let disk = disks
        .iter_mut()
        .filter(|disk| canonical.starts_with(disk.mount_point()))
        // Of two on one mount point the later covers the earlier; `max_by_key` gives the last of equals.
        .max_by_key(|disk| disk.mount_point().components().count())
        .ok_or_else(|| DiskError::NoDisk { path: canonical.clone() })?;
    // Only this one is measured, so that another mount's trouble stays its own.
    disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
    match disk.total_space() {
        0 => Err(DiskError::Unreadable { mount_point: disk.mount_point().into() }),
        size => Ok(Space { free: disk.available_space(), size }),
    }
}

/// Why free space could not be read, with the paths that only the log may know.
#[derive(Debug, thiserror::Error)]
enum DiskError {
    #[error("{} cannot be looked up", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    #[error("the disks cannot be listed")]
    List(#[source] sysinfo::Error),
    #[error("no listed disk holds {}", path.display())]
    NoDisk { path: PathBuf },
    #[error("the disk at {} does not say its size", mount_point.display())]
    Unreadable { mount_point: PathBuf },
}

impl DiskError {
    fn message(&self) -> &'static str {
        match self {
            Self::Path { .. } => "disk path not found",
            Self::List(_) | Self::Unreadable { .. } => "disk could not be read",
            Self::NoDisk { .. } => "no disk found for the path",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: CheckResult) -> String {
        let message = match result {
            Ok(report) => report.into_message(),
            Err(error) => error.into_parts().0,
        };
        message.expect("a message").into_owned()
    }

    #[test]
    fn free_space_is_rounded_down_and_need_up() {
        assert_eq!(message(judge(12_349_999_999, GIGABYTE)), "12.34 GB free");
        assert_eq!(message(judge(500_000_000, GIGABYTE)), "low disk space: 0.50 GB free, 1.00 GB needed");
        assert_eq!(message(judge(999_999_999, GIGABYTE)), "low disk space: 0.99 GB free, 1.00 GB needed");
        assert_eq!(message(judge(0, 1)), "low disk space: 0.00 GB free, 0.01 GB needed");
    }

    #[test]
    fn exactly_what_is_needed_is_not_more_than_that() {
        assert!(judge(GIGABYTE, GIGABYTE).is_err());
        assert!(judge(GIGABYTE + 1, GIGABYTE).is_ok());
    }

    #[test]
    fn a_path_that_is_not_there_is_named_to_the_log_only() {
        let error = read(Path::new("/no/such/path")).err().expect("there is no such path");
        assert_eq!(error.message(), "disk path not found");
        assert_eq!(error.to_string(), "/no/such/path cannot be looked up");
    }
}
