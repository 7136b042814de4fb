//! A check of free disk space.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::blocking::OneCall;
use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT};
use super::space::{Mounted, Space, SpaceError};
use crate::families::process;

/// 1 GB in SI units, as disk makers count.
const GIGABYTE: u64 = 1_000_000_000;

/// Requires more than a number of bytes free on the file system of a path.
///
/// By default the check is named `disk`, requires more than 1 GB (10⁹ bytes) free for unprivileged users, and has a
/// deadline of 5 seconds. Its messages are `12.34 GB free` and `low disk space: 0.50 GB free, 1.00 GB needed`. The free
/// space is rounded down and the needed space up, so a shortage always shows.
///
/// It is also unhealthy if the path does not exist (`disk path not found`), if the file system has no size, like
/// `/proc` (`no disk found for the path`), or if the operating system returns an error (`disk could not be read`). The
/// path and the mount point of a full disk go to the log only.
///
/// On Linux and other Unix systems the numbers come from `statvfs(3)` for the path with links resolved: the file system
/// that writes below the path reach, however it is mounted. On Apple systems and on Windows they come from the disk
/// whose mount point is the longest prefix of the path. The disk is read off the async runtime. While a read hangs (a
/// dead network mount), no second one starts. `disk_free_bytes` and `disk_size_bytes` show the last numbers, labelled
/// with the path as given.
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
    reading: OneCall<Result<Reading, SpaceError>>,
}

impl DiskCheck {
    /// Creates the check for the file system of `path`, which is resolved anew at each run.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            name: "disk".into(),
            timeout: DEFAULT_TIMEOUT,
            path: path.into(),
            min_free: GIGABYTE,
            reading: OneCall::new(),
        }
    }

    /// Sets the name (default `disk`).
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the number of bytes of which more must be free (default 10⁹).
    pub fn min_free_bytes(mut self, bytes: u64) -> Self {
        self.min_free = bytes;
        self
    }

    /// Sets the deadline of a run, more than zero (default 5 seconds).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn read(&self) -> Result<Reading, CheckError> {
        let (path, min_free) = (self.path.clone(), self.min_free);
        match self.reading.make(move || Reading::make(&path, min_free)).await {
            Ok(Ok(reading)) => Ok(reading),
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
        Box::pin(async move {
            let reading = self.read().await?;
            reading.show(&self.path);
            let judged = judge(reading.space.free, self.min_free);
            judged.map_err(|error| match reading.place {
                Some(place) => error.caused_by(place),
                None => error,
            })
        })
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

/// The space of a file system, and its mount point if there is too little space.
struct Reading {
    space: Space,
    place: Option<Mounted>,
}

impl Reading {
    fn make(path: &Path, min_free: u64) -> Result<Self, SpaceError> {
        let space = Space::of(path)?;
        let place = if space.free > min_free { None } else { Mounted::of(path) };
        Ok(Self { space, place })
    }

    fn show(&self, path: &Path) {
        let (metrics, path) = (process::metrics(), path.to_string_lossy());
        let bytes = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        metrics.disk_free.with_label_values(&[&*path]).set(bytes(self.space.free));
        metrics.disk_size.with_label_values(&[&*path]).set(bytes(self.space.size));
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
}
