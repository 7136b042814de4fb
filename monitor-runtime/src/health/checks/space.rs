//! The free space on the file system of a path.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use sysinfo::{Disk, DiskRefreshKind, Disks};

/// The size of a file system and its free space for unprivileged users, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Space {
    pub(super) free: u64,
    pub(super) size: u64,
}

impl Space {
    /// Reads the file system of `path`. It may block for long, for example on a network mount whose server is gone.
    ///
    /// # Errors
    ///
    /// Fails if the path does not exist, if its file system has no size (like `/proc`), or if the operating system
    /// returns an error.
    pub(super) fn of(path: &Path) -> Result<Self, SpaceError> {
        let space = measure(path)?;
        if space.size == 0 {
            return Err(SpaceError::NoSize { path: path.into() });
        }
        Ok(space)
    }
}

/// Uses the path itself: a list of mounts is incomplete, includes hidden mounts, and costs a file descriptor.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn measure(path: &Path) -> Result<Space, SpaceError> {
    let stat = rustix::fs::statvfs(path).map_err(|errno| SpaceError::of(path, errno.into()))?;
    // `f_bfree` would include the blocks reserved for root.
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Space { free: bytes(stat.f_bavail), size: bytes(stat.f_blocks) })
}

/// Uses the disk whose mount point is the longest prefix of the path: `statvfs` counts blocks in 32 bits on Apple
/// systems, and other systems lack it.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn measure(path: &Path) -> Result<Space, SpaceError> {
    let canonical = path.canonicalize().map_err(|error| SpaceError::of(path, error))?;
    let mut disks = listed().map_err(|error| SpaceError::of(path, error))?;
    if disks.is_empty() {
        return Err(SpaceError::of(path, io::Error::other("no disk is listed")));
    }
    let disk = holder(&mut disks, &canonical).ok_or_else(|| SpaceError::NoSize { path: path.into() })?;
    // Measures this disk only, so a hanging mount elsewhere does no harm.
    disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
    Ok(Space { free: disk.available_space(), size: disk.total_space() })
}

fn listed() -> io::Result<Disks> {
    Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing()).into_disks()
}

/// Converts the list of disks of any version of sysinfo: before 0.40 it is not a `Result`.
trait IntoDisks {
    fn into_disks(self) -> io::Result<Disks>;
}

impl IntoDisks for Disks {
    fn into_disks(self) -> io::Result<Disks> {
        Ok(self)
    }
}

impl<E: Error + Send + Sync + 'static> IntoDisks for Result<Disks, E> {
    fn into_disks(self) -> io::Result<Disks> {
        self.map_err(io::Error::other)
    }
}

/// The listed disk with the longest mount point that is a prefix of the path. If two have the same mount point, it is
/// the later one, which hides the earlier.
fn holder<'a>(disks: &'a mut Disks, canonical: &Path) -> Option<&'a mut Disk> {
    let holding = disks.iter_mut().filter(|disk| canonical.starts_with(disk.mount_point()));
    holding.max_by_key(|disk| disk.mount_point().components().count())
}

/// The mount of a path, for the log.
#[derive(Debug, thiserror::Error)]
#[error("the file system of {} is {} on {}, mounted at {}", path.display(), kind.to_string_lossy(), device.to_string_lossy(), mount_point.display())]
pub(super) struct Mounted {
    path: PathBuf,
    kind: OsString,
    device: OsString,
    mount_point: PathBuf,
}

impl Mounted {
    /// Finds the mount among the listed disks; `None` if it is not listed.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let canonical = path.canonicalize().ok()?;
        let mut disks = listed().ok()?;
        let disk = holder(&mut disks, &canonical)?;
        is_one_file_system(&canonical, disk.mount_point()).then(|| Self {
            path: path.into(),
            kind: disk.file_system().into(),
            device: disk.name().into(),
            mount_point: disk.mount_point().into(),
        })
    }
}

/// Whether path and mount point are on the same device. An unlisted mount is otherwise mistaken for the one above it.
#[cfg(unix)]
fn is_one_file_system(path: &Path, mount_point: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
    device(path).is_some_and(|found| device(mount_point) == Some(found))
}

#[cfg(not(unix))]
fn is_one_file_system(_: &Path, _: &Path) -> bool {
    true
}

/// Why the space cannot be read, with paths for the log only.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpaceError {
    #[error("{} cannot be looked up", path.display())]
    NotFound { path: PathBuf, source: io::Error },
    #[error("the file system of {} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the file system of {} has no size", path.display())]
    NoSize { path: PathBuf },
}

impl SpaceError {
    fn of(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
        match source.kind() {
            NotFound | NotADirectory | InvalidInput => Self::NotFound { path: path.into(), source },
            // Rust before 1.87 returns this kind too, but has no stable name for it.
            kind if format!("{kind:?}") == "InvalidFilename" => Self::NotFound { path: path.into(), source },
            _ => Self::Unreadable { path: path.into(), source },
        }
    }

    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "disk path not found",
            Self::Unreadable { .. } => "disk could not be read",
            Self::NoSize { .. } => "no disk found for the path",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_is_named_to_the_log_only() {
        let error = Space::of(Path::new("/no/such/path")).err().expect("the path must not exist");
        assert_eq!(error.message(), "disk path not found");
        assert_eq!(error.to_string(), "/no/such/path cannot be looked up");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_lack_of_descriptors_is_no_lack_of_a_disk() {
        for errno in [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::ACCESS] {
            assert_eq!(SpaceError::of(Path::new("/"), errno.into()).message(), "disk could not be read");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_system_without_a_size_is_no_disk() {
        let error = Space::of(Path::new("/proc/self")).err().expect("/proc has no size");
        assert_eq!(error.message(), "no disk found for the path");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_mount_is_named_only_to_a_path_of_its_file_system() {
        let root = Mounted::of(Path::new("/")).expect("the root must be mounted").to_string();
        assert!(root.starts_with("the file system of / is ") && root.ends_with(", mounted at /"), "{root}");
        assert!(Mounted::of(Path::new("/proc/self")).is_none(), "taken for the root's file system");
    }
}
