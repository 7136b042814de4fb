//! From settings to a running log.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fmt};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::current_span;
use super::error::LoggingError;
use super::filter::LogFilter;
use super::layer::LogLayer;
use super::output::guard::LogGuard;
use super::output::pipeline::{Pipeline, Producer};
use super::output::queue::{Queue, Tally, WhenFull};
use super::output::rate_limit::RateLimit;
use super::output::sink::Lines;
use super::output::writer;
use super::record::line::{LOGGING_TARGET, LineFormat};
use super::record::redaction::ValueRules;
use super::records;
use super::settings::{self, Format};
use super::subscriber::{GlobalMarker, LogSubscriber};
use crate::call::observer;
use crate::families::process;

/// A layer that takes the spans of the process, as the export of traces does.
type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

const QUEUE_BYTES: usize = 8 * 1_024 * 1_024;

/// The lowest cap on a value: any id that is a UUID stays whole.
const LEAST_VALUE_BYTES: usize = 64;

/// Whether this process's logging has been initialised.
static INITIALISED: Mutex<bool> = Mutex::new(false);

/// The logging of a process: where its settings begin.
///
/// It is never a value: [`LogGuard`] is the hold on logging that runs.
///
/// `LOG_LEVEL` (or `RUST_LOG`) and `LOG_FORMAT` win over what the code says, so that an operator has the last word.
///
/// ```no_run
/// use monitor_runtime::logging::{Format, Logging};
///
/// # fn main() -> Result<(), monitor_runtime::logging::LoggingError> {
/// let _guard = Logging::builder().filter("info,sqlx=warn").format(Format::Pretty).writer(std::io::stderr()).init()?;
/// tracing::info!("ready");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Logging {}

impl Logging {
    /// Starts from the defaults: level `info`, JSON, to standard output, with 8 MiB of lines waiting at most, dropped
    /// past that; nothing limited, nothing redacted, nothing cut.
    pub fn builder() -> LoggingBuilder {
        LoggingBuilder {
            filter: None,
            format: None,
            writer: None,
            queue_bytes: QUEUE_BYTES,
            when_full: WhenFull::default(),
            rate_limit: None,
            redacted: Vec::new(),
            max_value_bytes: None,
            spans: None,
        }
    }
}

/// Collects the settings of logging; nothing takes effect before [`init`](Self::init) or [`layer`](Self::layer).
#[must_use = "settings do nothing before `init` or `layer`"]
pub struct LoggingBuilder {
    filter: Option<String>,
    format: Option<Format>,
    writer: Option<Box<dyn Write + Send>>,
    queue_bytes: usize,
    when_full: WhenFull,
    rate_limit: Option<(u32, Duration)>,
    redacted: Vec<String>,
    max_value_bytes: Option<usize>,
    spans: Option<SpanLayer>,
}

impl LoggingBuilder {
    /// Sets what is logged when neither `LOG_LEVEL` nor `RUST_LOG` says so: a level, or levels by target as in
    /// `info,sqlx=warn`. A target stands for all that begin with it; what no target fits is logged from the level
    /// that stands alone, `info` if none does. Spans are context: those of level `info` or more severe are open
    /// whatever the level of the lines, unless that is `off` for all.
    pub fn filter(self, filter: impl Into<String>) -> Self {
        Self { filter: Some(filter.into()), ..self }
    }

    /// Sets what lines look like when `LOG_FORMAT` does not say so.
    pub fn format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// Sets where lines are written, standard output by default.
    ///
    /// The writer is used by one thread of its own, is given whole lines, many at a time when they come fast, and is
    /// flushed after each time. If it fails, the lines of which it took nothing count as dropped, and the next ones are tried
    /// again, behind the rest of a line that it took in part; once it fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe) it is given up. What it logs itself while
    /// it writes is left out.
    pub fn writer(self, writer: impl Write + Send + 'static) -> Self {
        Self { writer: Some(Box::new(writer)), ..self }
    }

    /// Sets how many bytes of lines may wait to be written, 8 MiB by default. What becomes of a line that does not fit
    /// says [`when_full`](Self::when_full).
    pub fn queue_bytes(self, bytes: usize) -> Self {
        Self { queue_bytes: bytes, ..self }
    }

    /// Sets whether a line that finds no room is dropped, as it is by default, or waited for.
    pub fn when_full(self, when_full: WhenFull) -> Self {
        Self { when_full, ..self }
    }

    /// Sets how many lines one callsite may log within a time; by default there is no limit.
    ///
    /// The time begins with a line. What the callsite logs past `lines` before it is over is left out, counted in
    /// `log_events_suppressed_total`, and not in `log_events_total`; a warning `log lines suppressed` then says how many
    /// were, and where they would have come from. Every `tracing` event in the source is a callsite, whatever the values
    /// it is given; so is every place that logs by the `log` crate. At most 4,096 are watched at a time.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use monitor_runtime::logging::Logging;
    ///
    /// # fn main() -> Result<(), monitor_runtime::logging::LoggingError> {
    /// let _guard = Logging::builder().rate_limit(10, Duration::from_secs(1)).init()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rate_limit(self, lines: u32, per: Duration) -> Self {
        Self { rate_limit: Some((lines, per)), ..self }
    }

    /// Adds names of fields whose values are written as `[redacted]`, whatever binds or logs them: events, spans, the
    /// attributes' `fields(…)`, [`context::bind`](crate::context::bind).
    ///
    /// Upper and lower case do not matter in ASCII. A name also stands for those that end in it behind a dot: `password`
    /// for `user.password`. An error's sources go with it, and `message` is the message. Only names are looked at: a
    /// secret inside of a message, or of a value under another name, is written.
    pub fn redact(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let redacted = self.redacted.into_iter().chain(names.into_iter().map(Into::into)).collect();
        Self { redacted, ..self }
    }

    /// Sets how many bytes of a text a line shows, at least 64; by default there is no cap. A longer text, the message
    /// included, is cut between two characters, and `…[truncated 1048576 bytes]` says what is left out.
    pub fn max_value_bytes(self, bytes: usize) -> Self {
        Self { max_value_bytes: Some(bytes), ..self }
    }

    /// Sets a layer that is given the spans of the process, beside the lines that [`init`](Self::init) makes of its events.
    #[cfg(feature = "otlp")]
    pub(crate) fn span_layer(self, spans: Option<SpanLayer>) -> Self {
        Self { spans, ..self }
    }

    /// Makes this the process's logging: installs the global `tracing` subscriber, and takes in the records of the
    /// `log` crate with their key-values. Records that `tracing` itself makes of its events and spans are left out.
    ///
    /// # Errors
    ///
    /// [`LoggingError`] says which setting is wrong, or what is installed already; then nothing has changed.
    pub fn init(mut self) -> Result<LogGuard, LoggingError> {
        let mut initialised = INITIALISED.lock().unwrap_or_else(PoisonError::into_inner);
        if *initialised {
            return Err(LoggingError::AlreadyInitialised);
        }
        let spans = self.spans.take();
        let (filter, lines, guard) = self.start()?;
        let max_level = filter.max_line_level();
        install(lines, filter, spans).map_err(LoggingError::SubscriberInstalled)?;
        *initialised = true;
        if !records::install(max_level) {
            tracing::warn!(target: LOGGING_TARGET, "the `log` crate has a logger already; its records stay there");
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
        let filter = LogFilter::new(settings::targets(settings::from_process, self.filter.as_deref())?);
        let format = settings::format(settings::from_process, self.format)?;
        self.check()?;
        let line_format = match format {
            Format::Json => LineFormat::Json,
            Format::Pretty => LineFormat::Pretty { colour: self.writer.is_none() && wants_colour() },
        };
        let rules = ValueRules::new(&self.redacted, self.max_value_bytes);
        let limit = self
            .rate_limit
            .map(|(lines, per)| RateLimit::new(lines, per, process::metrics().log_suppressed.clone()));
        let queue = Queue::new(self.queue_bytes, self.when_full, Tally::of_process());
        let pipeline = Arc::new(Pipeline::new(queue, line_format, limit));
        let sink = self.writer.unwrap_or_else(standard_output);
        writer::start(Arc::clone(&pipeline), sink).map_err(LoggingError::Thread)?;
        let guard = LogGuard::new(Arc::clone(&pipeline));
        Ok((filter, Lines::new(Producer::new(pipeline), line_format, rules), guard))
    }

    /// A layer that renders lines with these settings, filters nothing, and gives them to `sink`.
    #[cfg(feature = "__fuzzing")]
    pub(crate) fn layer_into<K: super::output::sink::LineSink>(&self, sink: K) -> LogLayer<K> {
        let format = match self.format {
            Some(Format::Pretty) => LineFormat::Pretty { colour: false },
            _ => LineFormat::Json,
        };
        LogLayer::new(Lines::new(sink, format, ValueRules::new(&self.redacted, self.max_value_bytes)))
    }

    fn check(&self) -> Result<(), LoggingError> {
        if self.queue_bytes == 0 {
            return Err(LoggingError::QueueBytes);
        }
        if let Some((lines, per)) = self.rate_limit
            && (lines == 0 || per.is_zero())
        {
            return Err(LoggingError::RateLimit { lines, per });
        }
        if let Some(name) = self.redacted.iter().find(|name| name.trim().is_empty()) {
            return Err(LoggingError::Redact { name: name.clone() });
        }
        match self.max_value_bytes {
            Some(bytes @ ..LEAST_VALUE_BYTES) => {
                Err(LoggingError::MaxValueBytes { bytes, least: LEAST_VALUE_BYTES })
            }
            _ => Ok(()),
        }
    }
}

/// Makes lines the process's, beside its spans where those are exported.
fn install(
    lines: Lines<Producer>,
    filter: LogFilter,
    spans: Option<SpanLayer>,
) -> Result<(), SetGlobalDefaultError> {
    if let Some(spans) = spans {
        let marker = GlobalMarker.with_filter(LevelFilter::OFF);
        let lines = LogLayer::new(lines).with_filter(filter);
        return set_global_default(tracing_subscriber::registry().with(spans).with(marker).with(lines));
    }
    observer::install_identify(current_span::identify);
    set_global_default(LogSubscriber::new(lines, filter))
}

/// Standard output without the buffer of the standard library, which takes lines that it then cannot write.
fn standard_output() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(descriptor));
    }
    Box::new(io::stdout())
}

impl fmt::Debug for LoggingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggingBuilder")
            .field("filter", &self.filter)
            .field("format", &self.format)
            .field("queue_bytes", &self.queue_bytes)
            .field("when_full", &self.when_full)
            .field("rate_limit", &self.rate_limit)
            .field("redacted", &self.redacted)
            .field("max_value_bytes", &self.max_value_bytes)
            .finish_non_exhaustive()
    }
}

/// Only standard output is ever coloured; <https://no-color.org> asks for a value that is not empty.
fn wants_colour() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
