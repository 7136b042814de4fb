//! Threads of the monitor.

use std::io;
use std::thread;

use tracing::dispatcher::{self, Dispatch};
use tracing::subscriber::NoSubscriber;

/// Starts a thread whose log lines go to the process's subscriber, or to the caller's if there is none. The thread
/// never waits for room in the log queue.
///
/// # Errors
///
/// Fails if the operating system cannot start the thread.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let callers = dispatcher::get_default(Clone::clone);
    let run = move || {
        #[cfg(feature = "logging")]
        crate::logging::never_wait_on_this_thread();
        // While any thread has its own subscriber, `tracing` looks for one at every span of the process.
        if is_none(&callers) || !dispatcher::get_default(is_none) {
            run();
        } else {
            dispatcher::with_default(&callers, run);
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn is_none(dispatch: &Dispatch) -> bool {
    dispatch.is::<NoSubscriber>()
}
