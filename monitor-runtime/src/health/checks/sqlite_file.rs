//! Detects that the file of an SQLite database is gone, which open sessions do not notice.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::ConnectOptions;

use super::blocking::OneCall;

/// Remembers the file in which a database was first seen.
pub(super) struct SqliteFile {
    seen: Arc<Mutex<Option<Seen>>>,
    looks: OneCall<io::Result<bool>>,
}

/// A file as last seen.
#[derive(Clone, Copy)]
struct Seen {
    identity: (u64, u64),
    has_content: bool,
}

impl SqliteFile {
    pub(super) fn new() -> Self {
        Self { seen: Arc::default(), looks: OneCall::new() }
    }

    /// Whether the path is a file. A database in memory has none, nor does one that is not created yet.
    ///
    /// # Errors
    ///
    /// Fails if a file that was seen before is gone, is empty now, or was replaced although sessions may still use the
    /// old one.
    pub(super) async fn look(&self, path: PathBuf, may_be_another: bool) -> io::Result<bool> {
        let seen = Arc::clone(&self.seen);
        let look =
            move || look(&path, &mut seen.lock().unwrap_or_else(PoisonError::into_inner), may_be_another);
        self.looks.make(look).await?
    }
}

fn look(path: &Path, seen: &mut Option<Seen>, may_be_another: bool) -> io::Result<bool> {
    let (now, before) = match (fs::metadata(path), *seen) {
        (Ok(file), before) if file.is_file() => (Seen::of(&file), before),
        // SQLite itself reports what is wrong with the path, if anything.
        (_, None) => return Ok(false),
        (Ok(_), Some(_)) => return Err(fault(path, "is no file any more")),
        (Err(error), Some(_)) if error.kind() == ErrorKind::NotFound => return Err(fault(path, "is gone")),
        (Err(error), Some(_)) => return Err(error),
    };
    match before {
        Some(before) if before.has_content && !now.has_content => Err(fault(path, "is empty, and was not")),
        Some(before) if before.identity != now.identity && !may_be_another => {
            Err(fault(path, "was replaced, and sessions of the pool may still write to the former one"))
        }
        _ => {
            *seen = Some(now);
            Ok(true)
        }
    }
}

fn fault(path: &Path, what: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("the database file {} {what}", path.display()))
}

impl Seen {
    #[cfg(unix)]
    fn of(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { identity: (file.dev(), file.ino()), has_content: file.len() > 0 }
    }

    /// Without a file identity, a replaced file is not detected.
    #[cfg(not(unix))]
    fn of(file: &Metadata) -> Self {
        Self { identity: (0, 0), has_content: file.len() > 0 }
    }
}

/// The path of the database, if the options of this driver are for SQLite.
pub(super) fn path_of<O: ConnectOptions>(driver: &str, options: &O) -> Option<PathBuf> {
    // Other drivers may not support a URL, and theirs would contain a password.
    if !["SQLite", "Any"].contains(&driver) {
        return None;
    }
    #[cfg(feature = "sqlx-sqlite")]
    if let Some(sqlite) = (options as &dyn std::any::Any).downcast_ref::<sqlx::sqlite::SqliteConnectOptions>()
    {
        return Some(sqlite.get_filename().into());
    }
    path_in(options.to_url_lossy().as_str())
}

/// Options for a session that does not wait for locks, if the driver can be recognized as SQLite.
pub(super) fn without_waiting<O: ConnectOptions>(mut options: O) -> O {
    #[cfg(feature = "sqlx-sqlite")]
    if let Some(sqlite) =
        (&mut options as &mut dyn std::any::Any).downcast_mut::<sqlx::sqlite::SqliteConnectOptions>()
    {
        *sqlite = sqlite.clone().busy_timeout(std::time::Duration::ZERO);
    }
    #[cfg(not(feature = "sqlx-sqlite"))]
    let _ = &mut options;
    options
}

/// A statement that reads the header from the file itself, not from the session's cache or the write-ahead log. It
/// takes no lock.
///
/// SQLite has to read it: POSIX drops all locks of a process on a file as soon as the process closes any descriptor of
/// that file.
pub(super) fn read_header(path: &Path) -> io::Result<String> {
    const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');
    let path = std::path::absolute(path)?;
    let path = utf8_percent_encode(path.to_str().ok_or(ErrorKind::InvalidInput)?, IN_PATHS);
    Ok(format!("ATTACH 'file:{path}?immutable=1&cache=private' AS monitor_check; DETACH monitor_check"))
}

/// Parses the URL as the driver does, which treats the host part as the beginning of the path.
fn path_in(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split('?').next().unwrap_or_default();
    Some(percent_decode_str(path).decode_utf8_lossy().into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_a_url_as_the_driver_reads_it() {
        for (url, path) in [
            ("sqlite:notes.db", "notes.db"),
            ("sqlite://data/notes.db?mode=rwc", "data/notes.db"),
            ("sqlite:///srv/the%20notes%2520.db", "/srv/the notes%20.db"),
            ("sqlite::memory:", ":memory:"),
        ] {
            assert_eq!(path_in(url), Some(path.into()), "{url}");
        }
        assert_eq!(path_in("postgres://app:secret@db/notes"), None);
    }
}
