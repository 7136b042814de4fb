//! Log lines: one flat JSON object each, with everything that is bound where it was emitted.
//!
//! ```json
//! {"timestamp":"2026-03-21T09:30:00.000125Z","level":"info","logger":"notes::ask","event":"answered","request_id":"7f…","agent_id":"planner","sources":3}
//! ```
//!
//! * The order is fixed: `timestamp` (RFC 3339, UTC, microseconds), `level`, `logger` (the target), `event` (the
//!   message; else the name that `name:` gives to the event; else the target, and then `callsite` at the end says where
//!   the event is written), then what is bound: `request_id`, `agent_id`, `skill_id`,
//!   `query`, `trace_id`, `span_id`, and other fields of the spans around it and of [`context::bind`](crate::context::bind), from the outermost
//!   on, where the innermost of one name wins. The event's own fields come last.
//! * No key comes twice. A field whose name is taken is written as `field.<name>`, repeated until it is free.
//! * An error recorded as one (`error = &error as &dyn Error`) has its sources under `error.chain`, joined by `: `.
//! * `NaN`, infinities, and integers past 64 bits are strings.
//! * The level governs lines. A span is context: every span of level `info` or more severe is open whatever the level of
//!   the lines, unless that is `off` for all, so that a rare `error` still says where it happened. Spans more verbose
//!   than `info` are open where lines of their level and target are written; fields of other spans are on no line.
//!
//! Lines are written by a thread of their own, from a queue bounded by bytes. Every line is counted, in
//! `log_events_total`, and each ends up in either `log_events_written_total` or `log_events_dropped_total` as well. A
//! suppressed line counts in `log_events_suppressed_total` instead.
//!
//! | variable | values |
//! | --- | --- |
//! | `LOG_LEVEL`, else `RUST_LOG` | a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or levels by target: `info,sqlx=warn` |
//! | `LOG_FORMAT` | `json`, `pretty` |

mod builder;
mod copies;
mod current_span;
mod error;
mod filter;
mod layer;
mod output;
mod panics;
mod record;
mod records;
mod settings;
mod spans;
mod subscriber;

#[cfg(feature = "http")]
pub(crate) use current_span::keep_trace_context;
pub(crate) use current_span::{bind, is_global_default, trace_context};
#[cfg(feature = "testing")]
pub(crate) use layer::LogLayer;
#[cfg(feature = "http")]
pub(crate) use output::guard::{end_flushes_by, flush_within};
#[cfg(feature = "http")]
pub(crate) use output::queue::never_wait_on_this_thread;
#[cfg(feature = "testing")]
pub(crate) use output::sink::LineSink;
#[cfg(feature = "otlp")]
pub(crate) use spans::registry::name_span;

pub use builder::{Logging, LoggingBuilder};
pub use error::LoggingError;
pub use output::guard::LogGuard;
pub use output::queue::WhenFull;
pub use panics::install_panic_hook;
pub use settings::Format;

/// Starts logging with the defaults, unless `LOG_LEVEL` or `LOG_FORMAT` is set: JSON to standard output, from `info` on.
/// Records of the `log` crate become lines as well.
///
/// Keep the guard: dropping it writes all lines that wait.
///
/// ```no_run
/// fn main() -> Result<(), monitor_runtime::logging::LoggingError> {
///     let _guard = monitor_runtime::logging::init()?;
///     tracing::info!(port = 8080, "listening");
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// A variable is wrong, or a subscriber is installed already. Then nothing has changed.
pub fn init() -> Result<LogGuard, LoggingError> {
    Logging::builder().init()
}
