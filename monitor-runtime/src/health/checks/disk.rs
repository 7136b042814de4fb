//! Room on a disk.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::blocking::OneCall;
use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT};
use super::space::{Mounted, Space, SpaceError};
use crate::families::process;

/// 1 GB, in the meaning of the SI and of disk makers.
const GIGABYTE: u64 = 1_000_000_000;

/// Wants more than a number of bytes free on the file system that holds a path.
///
/// The check is named `disk`, wants more than 1 GB (10⁹ bytes) free for unprivileged users and has 5 seconds. It
/// says `12.34 GB free`, or `low disk space: 0.50 GB free, 1.00 GB needed`; what is free is rounded down and what
/// is needed up, so that a shortage shows. It is unhealthy if the path does not exist (`disk path not found`), if the file
/// system has no size, as `/proc` has none (`no disk found for the path`), or if the operating system refuses to tell
/// (`disk could not be read`). The path itself goes to the log only, and so does the mount point of a disk with too little room.
///
/// On Linux and other Unix systems the number is that of `statvfs(3)` for the path, links resolved: the file system that
/// writes below the path go to, however it is mounted. On Apple's systems and on Windows it is the disk whose mount point is the longest
/// beginning of the path. The reading is made off the async runtime; while one hangs (a dead network mount), no second one is
/// started. `disk_free_bytes` and `disk_size_bytes` show the last reading, by the path as it was given.
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
    /// Makes the check of the file system that holds `path`, which is looked up anew at each run.
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

/// A reading, and where the file system is mounted if it has too little room.
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
