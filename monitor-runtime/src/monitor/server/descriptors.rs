//! The file descriptors of the process: how many connections they are enough for, and some in reserve.

use std::io;

/// The connections that a server holds where the operating system does not tell how many descriptors there are.
const DEFAULT_CAPACITY: usize = 10_000;

/// The fewest descriptors that a server begins with: its connections, and what their handlers open.
const MIN_FREE: usize = 4;

/// The share of the free descriptors that connections leave to everything else: pools, files, clients.
const SHARE_LEFT_FREE: usize = 4;

/// How many connections the descriptors that are free now are enough for.
///
/// # Errors
///
/// When there are too few to serve anybody.
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

/// How many descriptors the process may open; `None` where that is unlimited or not told.
#[cfg(unix)]
pub(crate) fn limit() -> Option<usize> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}

#[cfg(not(unix))]
pub(crate) fn limit() -> Option<usize> {
    None
}

/// How many descriptors the process has open; `None` where that is not told.
fn count_open() -> Option<usize> {
    match std::fs::read_dir(if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" }) {
        // One of them is the directory's.
        Ok(entries) => Some(entries.count().saturating_sub(1)),
        Err(error) if is_shortage(&error) => limit(),
        Err(_) => None,
    }
}

/// Whether an error says that the process, or the machine, has no descriptor or no memory left for a connection.
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

/// Descriptors that are open for nothing, so that they can be given to connections when the process has no others.
///
/// A connection's descriptor comes back by `dup2`, which closes the connection and keeps its number in one step, so that
/// nobody else gets it in between.
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
    /// How many connections there are descriptors for, whatever the rest of the process holds.
    const MAX_LEN: usize = 8;

    /// The share of all descriptors that it takes at most.
    const MAX_SHARE: usize = 32;

    /// Takes as many as it can, up to its share.
    ///
    /// # Errors
    ///
    /// When the process has none left.
    pub(crate) fn take() -> io::Result<Self> {
        let size = limit().map_or(Self::MAX_LEN, |limit| (limit / Self::MAX_SHARE).min(Self::MAX_LEN));
        let null = std::fs::File::open("/dev/null")?;
        let spare = (0..size).map_while(|_| null.try_clone().ok()).map(Into::into).collect();
        Ok(Self { null, size, spare: std::sync::Mutex::new(spare) })
    }

    /// Closes one of them, and says whether there was one.
    pub(super) fn release(&self) -> bool {
        self.spare().pop().is_some()
    }

    /// Closes the connection and keeps its descriptor, if some are missing.
    pub(super) fn keep(&self, connection: tokio::net::TcpStream) {
        let mut spare = self.spare();
        if spare.len() < self.size
            && let Ok(connection) = connection.into_std()
        {
            let mut descriptor = connection.into();
            let replaced = rustix::io::dup2(&self.null, &mut descriptor);
            // Programs that the process starts are not to have it.
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
