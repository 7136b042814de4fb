//! From settings to a running log.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};
use std::{env, fmt};

use tracing::Subscriber;
use tracing_log::{AsLog as _, LogTracer};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::filter::LogFilter;
use super::layer::{Lines, LogLayer};
use super::line::Look;
use super::settings::{self, Format};
use super::subscriber::LogSubscriber;
use super::writer::{self, Producer};
use super::{LogGuard, LoggingError};

const QUEUE_BYTES: usize = 8 * 1_024 * 1_024;

/// Whether this process's logging has been initialised.
static INITIALISED: Mutex<bool> = Mutex::new(false);

/// How a process logs: settings, ended by [`init`](Self::init) or [`layer`](Self::layer).
///
/// `LOG_LEVEL` (or `RUST_LOG`) and `LOG_FORMAT` win over what the code says, so that an operator has the last word.
///
/// ```no_run
/// use monitor_runtime::logging::{Format, Logging};
///
/// # fn main() -> Result<(), monitor_runtime::logging::LoggingError> {
/// let _guard = Logging::builder().level("info,sqlx=warn").format(Format::Pretty).writer(std::io::stderr()).init()?;
/// tracing::info!("ready");
/// # Ok(())
/// # }
/// ```
#[must_use = "settings do nothing before `init` or `layer`"]
pub struct Logging {
    level: Option<String>,
    format: Option<Format>,
    writer: Option<Box<dyn Write + Send>>,
    queue_bytes: usize,
}

impl Logging {
    /// Starts from the defaults: level `info`, JSON, to standard output, with 8 MiB of lines waiting at most.
    pub fn builder() -> Self {
        Self { level: None, format: None, writer: None, queue_bytes: QUEUE_BYTES }
    }

    /// Sets what is logged when neither `LOG_LEVEL` nor `RUST_LOG` says so: a level, or levels by target as in
    /// `info,sqlx=warn`. A target stands for all that begin with it; what no target fits is logged from the level
    /// that stands alone, `info` if none does. Spans are context: those of level `info` or more severe are open
    /// whatever the level of the lines, unless that is `off` for all.
    pub fn level(self, level: impl Into<String>) -> Self {
        Self { level: Some(level.into()), ..self }
    }

    /// Sets what lines look like when `LOG_FORMAT` does not say so.
    pub fn format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// Sets where lines are written, standard output by default.
    ///
    /// The writer is used by one thread of its own, is given whole lines, many at a time when they come fast, and is
    /// flushed after each time. If it fails, the lines it did not take count as dropped, and the next ones are tried
    /// again; once it fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe) it is given up. What it logs itself while
    /// it writes is left out.
    pub fn writer(self, writer: impl Write + Send + 'static) -> Self {
        Self { writer: Some(Box::new(writer)), ..self }
    }

    /// Sets how many bytes of lines may wait to be written, 8 MiB by default. A line that does not fit is dropped:
    /// it is counted in `log_events_dropped_total`, and a line of its own says how many were as soon as there is room.
    pub fn queue_bytes(self, bytes: usize) -> Self {
        Self { queue_bytes: bytes, ..self }
    }

    /// Makes this the process's logging: installs the global `tracing` subscriber, and takes in the records of the
    /// `log` crate.
    ///
    /// # Errors
    ///
    /// [`LoggingError`] says which setting is wrong, or what is installed already; then nothing has changed.
    pub fn init(self) -> Result<LogGuard, LoggingError> {
        let mut initialised = INITIALISED.lock().unwrap_or_else(PoisonError::into_inner);
        if *initialised {
            return Err(LoggingError::AlreadyInitialised);
        }
        let (filter, lines, guard) = self.start()?;
        let most = filter.most_of_lines();
        let subscriber = LogSubscriber::new(lines, filter);
        tracing::subscriber::set_global_default(subscriber).map_err(LoggingError::SubscriberInstalled)?;
        *initialised = true;
        if LogTracer::builder().with_max_level(most.as_log()).init().is_err() {
            tracing::warn!(target: super::TARGET, "the `log` crate has a logger already; its records stay there");
        }
        Ok(guard)
    }

    /// Makes a layer to put beside others onto a `tracing-subscriber` registry. What is logged is filtered for this
    /// layer alone; the records of the `log` crate are left to the subscriber it becomes part of.
    ///
    /// ```no_run
    /// use tracing_subscriber::layer::SubscriberExt as _;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (layer, _guard) = monitor_runtime::logging::Logging::builder().layer()?;
    /// let subscriber = tracing_subscriber::registry().with(layer);
    /// tracing::subscriber::set_global_default(subscriber)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LoggingError`] says which setting is wrong.
    pub fn layer<S>(self) -> Result<(impl Layer<S> + Send + Sync + 'static, LogGuard), LoggingError>
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        let (filter, lines, guard) = self.start()?;
        Ok((LogLayer::new(lines).with_filter(filter), guard))
    }

    fn start(self) -> Result<(LogFilter, Lines<Producer>, LogGuard), LoggingError> {
        let filter = LogFilter::new(settings::targets(settings::from_process, self.level.as_deref())?);
        let format = settings::format(settings::from_process, self.format)?;
        if self.queue_bytes == 0 {
            return Err(LoggingError::QueueBytes);
        }
        let look = match format {
            Format::Json => Look::Json,
            Format::Pretty => Look::Pretty { colour: self.writer.is_none() && wants_colour() },
        };
        let writer = self.writer.unwrap_or_else(|| Box::new(io::stdout()));
        let (producer, guard) =
            writer::start(writer, look, self.queue_bytes).map_err(LoggingError::Thread)?;
        Ok((filter, Lines::new(producer, look), guard))
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logging")
            .field("level", &self.level)
            .field("format", &self.format)
            .field("queue_bytes", &self.queue_bytes)
            .finish_non_exhaustive()
    }
}

/// Only standard output is ever coloured; <https://no-color.org> asks for a value that is not empty.
fn wants_colour() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
