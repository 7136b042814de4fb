//! The hook that logs panics.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::thread;
use std::time::Instant;

use super::output::{guard, queue};
use super::record::{line, source};
use crate::error_chain::panic_message;
use crate::families::process;

/// The logger of lines about panics.
const TARGET: &str = "monitor_runtime::panic";

/// Logs and counts every panic of the process from now on.
///
/// The line is an `error` with the event `panicked`. Its fields are the panic's message as `error`, the place in the
/// source as `location` (`src/planner.rs:17:9`), the thread's name as `thread`, and all bound fields, such as
/// `request_id` and `agent_id`. `panics_total` counts each panic, and is exposed from this call on.
///
/// The previous hook is called afterwards; by default it prints to standard error. A panic is logged when it begins,
/// even if it is caught later, as in tokio's tasks.
///
/// The line, and all lines before it, are written before the hook returns, since the process may end right after it. If
/// the output is stalled, the thread waits for at most five seconds, whatever [`WhenFull`](super::WhenFull) is set.
///
/// A second call does nothing.
///
/// ```no_run
/// fn main() -> Result<(), monitor_runtime::logging::LoggingError> {
///     let _guard = monitor_runtime::logging::init()?;
///     monitor_runtime::logging::install_panic_hook();
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// Panics on a thread that is already panicking, where no hook can be set.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let panics = process::metrics().panics();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            panics.inc();
            write_out(|| log(panic));
            previous(panic);
        }));
    });
}

/// Flushes to make room in the queue, runs `log`, and flushes its lines. Gives up at the deadline if the output is
/// stalled.
fn write_out(log: impl FnOnce()) {
    // The writer thread cannot wait for itself, and its lines are ignored anyway.
    if line::is_muted() {
        return;
    }
    let deadline = Instant::now() + guard::FLUSH_TIMEOUT;
    guard::flush_all_until(deadline);
    queue::without_waiting(log);
    guard::flush_all_until(deadline);
}

fn log(panic: &PanicHookInfo<'_>) {
    let error = panic_message(panic.payload());
    let location =
        panic.location().map(|at| format!("{}:{}:{}", source::path(at.file()), at.line(), at.column()));
    let current = thread::current();
    tracing::error!(target: TARGET, error, location, thread = current.name(), "panicked");
}
