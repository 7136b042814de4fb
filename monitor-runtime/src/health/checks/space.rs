//! How much room the file system of a path has.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use sysinfo::{Disk, DiskRefreshKind, Disks};

/// The size of a file system and its room for an ordinary user, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Space {
    pub(super) free: u64,
    pub(super) size: u64,
}

impl Space {
    /// Reads the file system that holds `path`. It may block for long, as on a network mount whose server is gone.
    ///
    /// # Errors
    ///
    /// If there is no such path, if its file system has no size (as `/proc`), and if the operating system refuses to tell.
    pub(super) fn of(path: &Path) -> Result<Self, SpaceError> {
        let space = measure(path)?;
        if space.size == 0 {
            return Err(SpaceError::NoSize { path: path.into() });
        }
        Ok(space)
    }
}

/// Asks the path itself: a list of mounts leaves some out, shows covered ones, and costs a file descriptor.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn measure(path: &Path) -> Result<Space, SpaceError> {
    let stat = rustix::fs::statvfs(path).map_err(|errno| SpaceError::of(path, errno.into()))?;
    // What an ordinary user may fill: `f_bfree` also has the blocks that are reserved for root.
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Space { free: bytes(stat.f_bavail), size: bytes(stat.f_blocks) })
}

/// Asks the disk whose mount point is the longest beginning of the path: `statvfs` of Apple's systems counts blocks in 32 bits,
/// and others have none.
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn measure(path: &Path) -> Result<Space, SpaceError> {
    let canonical = path.canonicalize().map_err(|error| SpaceError::of(path, error))?;
    let mut disks = listed().map_err(|error| SpaceError::of(path, io::Error::other(error)))?;
    if disks.is_empty() {
        return Err(SpaceError::of(path, io::Error::other("no disk is listed")));
    }
    let disk = holder(&mut disks, &canonical).ok_or_else(|| SpaceError::NoSize { path: path.into() })?;
    // Only this one is measured, so that another mount's trouble stays its own.
    disk.refresh_specifics(DiskRefreshKind::nothing().with_storage());
    Ok(Space { free: disk.available_space(), size: disk.total_space() })
}

fn listed() -> Result<Disks, sysinfo::Error> {
    Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing())
}

/// The listed disk with the longest mount point that the path begins with; of two on one mount point the later, which covers the
/// earlier.
fn holder<'a>(disks: &'a mut Disks, canonical: &Path) -> Option<&'a mut Disk> {
    let holding = disks.iter_mut().filter(|disk| canonical.starts_with(disk.mount_point()));
    holding.max_by_key(|disk| disk.mount_point().components().count())
}

/// Where the file system of a path is mounted and what it is, for the log.
#[derive(Debug, thiserror::Error)]
#[error("the file system of {} is {} on {}, mounted at {}", path.display(), kind.display(), device.display(), mount_point.display())]
pub(super) struct Mounted {
    path: PathBuf,
    kind: OsString,
    device: OsString,
    mount_point: PathBuf,
}

impl Mounted {
    /// Finds it among the listed disks, which may not have it.
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

/// Some mounts are not listed, and the one above is then found in place of them.
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

/// Why there is no number, with the paths that only the log may know.
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
        use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
        match source.kind() {
            NotFound | NotADirectory | InvalidFilename | InvalidInput => {
                Self::NotFound { path: path.into(), source }
            }
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
        let error = Space::of(Path::new("/no/such/path")).err().expect("there is no such path");
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
        let error = Space::of(Path::new("/proc/self")).err().expect("it holds nothing");
        assert_eq!(error.message(), "no disk found for the path");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_mount_is_named_only_to_a_path_of_its_file_system() {
        let root = Mounted::of(Path::new("/")).expect("the root is mounted").to_string();
        assert!(root.starts_with("the file system of / is ") && root.ends_with(", mounted at /"), "{root}");
        assert!(Mounted::of(Path::new("/proc/self")).is_none(), "it is not listed, and not of the root's");
    }
}
