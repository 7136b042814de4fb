//! Threads of our own.

use std::io;
use std::thread;

use tracing::dispatcher::{self, Dispatch};
use tracing::subscriber::NoSubscriber;

/// Starts a thread whose log lines go to the process's subscriber or, where it has none, to the caller's. It never waits for
/// room for them.
///
/// # Errors
///
/// When the operating system gives no thread.
pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let callers = dispatcher::get_default(Clone::clone);
    let run = move || {
        #[cfg(feature = "logging")]
        crate::logging::never_wait_on_this_thread();
        // As long as any thread has a subscriber of its own, every span of the process has to look for one.
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
