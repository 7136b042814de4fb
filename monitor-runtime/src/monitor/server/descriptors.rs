//! The file descriptors of the process: how many connections they allow, and a reserve.

use std::io;

/// The connection limit of a server if the operating system does not report the number of descriptors.
const DEFAULT_CAPACITY: usize = 10_000;

/// The minimum of free descriptors with which a server starts, for connections and for files their handlers open.
const MIN_FREE: usize = 4;

/// Connections leave one in this many free descriptors for everything else: pools, files, clients.
const SHARE_LEFT_FREE: usize = 4;

/// The number of connections that the free descriptors allow.
///
/// # Errors
///
/// Fails if there are too few to serve at all.
pub(super) fn connection_capacity() -> io::Result<usize> {
    let Some((limit, open)) = limit().zip(count_open()) else { return Ok(DEFAULT_CAPACITY) };
    let free = limit.saturating_sub(open);
    if free < MIN_FREE {
        return Err(io::Error::other(format!(
            "{open} of the {limit} file descriptors that the process may open are in use; expected at least {MIN_FREE} that are \
             free: raise the limit (`ulimit -n`, `LimitNOFILE=`)"
        )));
    }
    Ok(free - free.div_ceil(SHARE_LEFT_FREE))
}

/// The maximum number of descriptors of the process; `None` if it is unlimited or unknown.
#[cfg(unix)]
pub(crate) fn limit() -> Option<usize> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}

#[cfg(not(unix))]
pub(crate) fn limit() -> Option<usize> {
    None
}

/// The number of open descriptors of the process; `None` if it is unknown.
fn count_open() -> Option<usize> {
    match std::fs::read_dir(if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" }) {
        // One of the entries is the descriptor of the directory itself.
        Ok(entries) => Some(entries.count().saturating_sub(1)),
        Err(error) if is_shortage(&error) => limit(),
        Err(_) => None,
    }
}

/// Whether an error means that the process or the machine has no descriptor or memory left for a connection.
#[cfg(unix)]
pub(super) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| shortages.contains(&Errno::from_raw_os_error(code)))
}

#[cfg(not(unix))]
pub(super) fn is_shortage(_: &io::Error) -> bool {
    true
}

/// Descriptors held in reserve, to be given to connections when the process has no others.
///
/// `dup2` returns a connection's descriptor to the reserve: it closes the connection and keeps the number in one step,
/// so no other thread can take it in between.
#[derive(Debug)]
pub(crate) struct Reserve {
    #[cfg(unix)]
    null: std::fs::File,
    #[cfg(unix)]
    size: usize,
    #[cfg(unix)]
    spare: std::sync::Mutex<Vec<std::os::fd::OwnedFd>>,
}

#[cfg(unix)]
impl Reserve {
    /// The maximum size of the reserve: the number of connections that are always possible.
    const MAX_LEN: usize = 8;

    /// The reserve takes at most one in this many of all descriptors.
    const MAX_SHARE: usize = 32;

    /// Takes as many descriptors as possible, up to the limits above.
    ///
    /// # Errors
    ///
    /// Fails if the process has no descriptor left.
    pub(crate) fn take() -> io::Result<Self> {
        let size = limit().map_or(Self::MAX_LEN, |limit| (limit / Self::MAX_SHARE).min(Self::MAX_LEN));
        let null = std::fs::File::open("/dev/null")?;
        let spare = (0..size).map_while(|_| null.try_clone().ok()).map(Into::into).collect();
        Ok(Self { null, size, spare: std::sync::Mutex::new(spare) })
    }

    /// Closes one of the descriptors; `false` if there are none.
    pub(super) fn release(&self) -> bool {
        self.spare().pop().is_some()
    }

    /// Closes the connection, and keeps its descriptor if the reserve is not full.
    pub(super) fn keep(&self, connection: tokio::net::TcpStream) {
        let mut spare = self.spare();
        if spare.len() >= self.size {
            return;
        }
        if let Ok(connection) = connection.into_std() {
            let mut descriptor = connection.into();
            let replaced = rustix::io::dup2(&self.null, &mut descriptor);
            // Child processes must not inherit it.
            if replaced
                .and_then(|()| rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC))
                .is_ok()
            {
                spare.push(descriptor);
            }
        }
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<std::os::fd::OwnedFd>> {
        self.spare.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(not(unix))]
impl Reserve {
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Self {})
    }

    pub(super) fn release(&self) -> bool {
        false
    }

    pub(super) fn keep(&self, connection: tokio::net::TcpStream) {
        drop(connection);
    }
}
