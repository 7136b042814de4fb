//! The hook that logs panics.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::thread;
use std::time::Instant;

use super::output::{guard, queue};
use super::record::{line, source};
use crate::families::process;

/// The logger of lines about panics.
const TARGET: &str = "monitor_runtime::panic";

/// Logs and counts every panic of the process from now on.
///
/// The line is an `error` named `panicked`. It has the panic's message as `error`, its place in the source as `location`
/// (`src/planner.rs:17:9`), the thread's name as `thread`, and all fields bound there, such as `request_id` and `agent_id`.
/// Each panic increments `panics_total`, which is exposed from this call on.
///
/// The previous hook is called afterwards; by default it prints to standard error. A panic is logged when it begins, even
/// if it is caught later, as tokio does in its tasks.
///
/// The line and all lines before it are written before the hook returns, because the process may end right after it. If the
/// output is stalled, the thread waits for at most five seconds, whatever [`WhenFull`](super::WhenFull) is set.
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
/// On a thread that is panicking, where no hook can be set.
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

/// Flushes, so that the queue has room, runs `log`, and flushes its lines. Returns earlier if the output is stalled.
fn write_out(log: impl FnOnce()) {
    // All others wait for the writer's thread, so it must not wait; its lines are ignored anyway.
    if line::is_muted() {
        return;
    }
    let deadline = Instant::now() + guard::FLUSH_TIMEOUT;
    guard::flush_all_until(deadline);
    queue::without_waiting(log);
    guard::flush_all_until(deadline);
}

fn log(panic: &PanicHookInfo<'_>) {
    let error = panic.payload_as_str().unwrap_or("a panic without a message");
    let location =
        panic.location().map(|at| format!("{}:{}:{}", source::path(at.file()), at.line(), at.column()));
    let current = thread::current();
    tracing::error!(target: TARGET, error, location, thread = current.name(), "panicked");
}
