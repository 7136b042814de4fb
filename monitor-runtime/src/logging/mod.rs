//! Log lines: each is a flat JSON object with all fields bound where it is emitted.
//!
//! ```json
//! {"timestamp":"2026-03-21T09:30:00.000125Z","level":"info","logger":"notes::ask","event":"answered","request_id":"7f…","agent_id":"planner","sources":3}
//! ```
//!
//! * The order is fixed: `timestamp` (RFC 3339, UTC, microseconds), `level`, `logger` (the target), `event`, the bound
//!   fields, the event's own fields.
//! * `event` is the message, or the event's `name:` if there is no message. If there is neither, it is the target, and
//!   a field `callsite` at the end has the place in the source.
//! * Bound fields are `request_id`, `agent_id`, `skill_id`, `query`, `trace_id` and `span_id`, then other fields of the
//!   enclosing spans and of [`context::bind`](crate::context::bind), the outermost first. Of fields with the same name,
//!   the innermost wins.
//! * Keys are unique. A field whose name is taken is written as `field.<name>`; the prefix is repeated until the key is
//!   free.
//! * An error recorded as such (`error = &error as &dyn Error`) has its sources in `error.chain`, joined by `: `.
//! * `NaN`, infinities, and integers beyond 64 bits are strings.
//! * The filter applies to lines. Spans of level `info` or more severe are open whatever the filter, unless it is `off`
//!   for all targets, so that a rare `error` still has its context. More verbose spans are open if a line of their
//!   level and target would be written; the fields of other spans appear on no line.
//!
//! A separate thread writes the lines, from a queue bounded by bytes. `log_events_total` counts every line, and either
//! `log_events_written_total` or `log_events_dropped_total` counts it as well. A suppressed line counts in
//! `log_events_suppressed_total` only.
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
mod genai_spans;
mod layer;
mod output;
mod panics;
mod record;
mod records;
mod settings;
mod spans;
mod subscriber;

pub(crate) use current_span::{bind, bound_text, is_global_default, keep_trace_context, trace_context};
pub(crate) use layer::LogLayer;
pub(crate) use output::guard::{end_flushes_by, flush_within};
pub(crate) use output::queue::never_wait_on_this_thread;
pub(crate) use output::sink::LineSink;
pub(crate) use spans::registry::name_span;

pub use builder::{Logging, LoggingBuilder};
pub use error::LoggingError;
pub use output::guard::LogGuard;
pub use output::queue::WhenFull;
pub use panics::install_panic_hook;
pub use record::layout::Keys;
pub use settings::Format;

/// Starts logging with the defaults, which `LOG_LEVEL` and `LOG_FORMAT` override: JSON to standard output, from level
/// `info` on. Records of the `log` crate become lines as well.
///
/// Keep the guard: dropping it writes all queued lines.
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
/// Fails if a variable is invalid, or if a subscriber is already installed. Nothing has changed then.
pub fn init() -> Result<LogGuard, LoggingError> {
    Logging::builder().init()
}
