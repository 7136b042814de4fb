//! The hook that logs panics.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::thread;

use super::outlet;
use crate::registry::process;

/// The logger of lines about panics.
const TARGET: &str = "monitor_runtime::panic";

/// Has every panic of the process logged and counted, from now on.
///
/// The line is an `error` named `panicked`, with the panic's message under `error`, where it happened under
/// `location` (`src/planner.rs:17:9`) and the thread's name under `thread`, and with what is bound where it happened:
/// `request_id`, `agent_id` and the like. Each panic moves `panics_total`, which is there from this call on.
///
/// The hook that was there before is called afterwards; by default that is the one that prints to standard error. A
/// panic is logged when it begins, also where something catches it later, as tokio does in its tasks. Where panics abort
/// the process (`panic = "abort"`), the lines that wait are written out first.
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
            log(panic);
            previous(panic);
            if cfg!(panic = "abort") {
                outlet::flush_all();
            }
        }));
    });
}

fn log(panic: &PanicHookInfo<'_>) {
    let error = panic.payload_as_str().unwrap_or("a panic without a message");
    let location = panic.location().map(tracing::field::display);
    let current = thread::current();
    tracing::error!(target: TARGET, error, location, thread = current.name(), "panicked");
}
