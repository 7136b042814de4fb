//! The folder of one run.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::failure::Result;

/// Below /tmp rather than TMPDIR: the servers' unprivileged user has to reach it.
const PARENT: &str = "/tmp";
const PREFIX: &str = "monitor-gates.";
const RANDOM_LETTERS: usize = 6;

/// Holds everything temporary of a run; removed when dropped.
///
/// It holds the temporary files of the tests and the compiler as well, which they leave behind when a signal ends them.
pub(crate) struct Scratch {
    folder: TempDir,
    /// Locked as long as this program lives. It is closed in every command, so none that outlives us keeps the lock.
    _lock: File,
}

impl Scratch {
    pub(crate) fn create() -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(PREFIX).rand_bytes(RANDOM_LETTERS);
        let folder = builder.permissions(Permissions::from_mode(0o711)).tempdir_in(PARENT)?;
        let lock = File::open(folder.path())?;
        lock.lock()?;
        // The mode above is cut down by the umask.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let scratch = Self { folder, _lock: lock };
        fs::create_dir(scratch.temporary())?;
        fs::set_permissions(scratch.temporary(), Permissions::from_mode(0o1777))?;
        remove_stale();
        Ok(scratch)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What TMPDIR is for every command.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path().join("tmp")
    }
}

/// Removes the folders of runs that were killed.
fn remove_stale() {
    for entry in fs::read_dir(PARENT).into_iter().flatten().flatten() {
        let folder = entry.path();
        if is_stale(&folder) {
            println!("removing {}, left by a run that was killed", folder.display());
            if let Err(error) = fs::remove_dir_all(&folder) {
                println!("{} is not removed: {error}", folder.display());
            }
        }
    }
}

fn is_stale(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_of_a_run = name.strip_prefix(PREFIX).is_some_and(|letters| letters.len() == RANDOM_LETTERS);
    // The newest are spared: between their making and their lock lies a moment.
    is_of_a_run && is_old_and_own(folder) && File::open(folder).is_ok_and(|file| file.try_lock().is_ok())
}

fn is_old_and_own(folder: &Path) -> bool {
    let limit = SystemTime::now() - Duration::from_mins(1);
    fs::symlink_metadata(folder).is_ok_and(|metadata| {
        metadata.is_dir()
            && metadata.uid() == geteuid().as_raw()
            && metadata.modified().is_ok_and(|time| time < limit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_unlocked_folders_are_stale() {
        let folder =
            tempfile::Builder::new().prefix(PREFIX).rand_bytes(RANDOM_LETTERS).tempdir_in(PARENT).unwrap();
        let file = File::open(folder.path()).unwrap();
        assert!(!is_stale(folder.path()), "it is new");
        // Locked before it is old, so that no run beside this test removes it.
        file.lock().unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
        assert!(!is_stale(folder.path()), "its run lives");
        file.unlock().unwrap();
        assert!(is_stale(folder.path()) || !folder.path().exists());
        assert!(!is_stale(Path::new(PARENT)));
    }
}
