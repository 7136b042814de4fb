//! Builds and starts logging.

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
use super::record::layout::{Keys, Layout};
use super::record::line::{LOGGING_TARGET, LineFormat};
use super::record::redaction::ValueRules;
use super::records;
use super::settings::{self, Format};
use super::subscriber::{GlobalMarker, LogSubscriber};
use crate::call::{foreign_call, observer};
use crate::families::process;

/// A layer for the spans of the process, such as the export of traces.
type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

const QUEUE_BYTES: usize = 8 * 1_024 * 1_024;

/// The smallest allowed cap on values, so that any UUID stays whole.
const LEAST_VALUE_BYTES: usize = 64;

/// Whether the process's logging has been initialised.
static INITIALISED: Mutex<bool> = Mutex::new(false);

/// Entry to the logging of a process: [`Logging::builder`].
///
/// There is no value of this type: a [`LogGuard`] holds logging that runs.
///
/// `LOG_LEVEL` (or `RUST_LOG`) and `LOG_FORMAT` override the code, so that the operator decides.
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
    /// Returns the defaults: level `info`, JSON, standard output, at most 8 MiB of lines that wait, and lines that do
    /// not fit dropped. No rate limit, no redaction and no cap on values is set.
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
            keys: Keys::default(),
            has_location: false,
            reads_calls: true,
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
    keys: Keys,
    has_location: bool,
    reads_calls: bool,
    spans: Option<SpanLayer>,
}

impl LoggingBuilder {
    /// Sets the filter of lines, unless `LOG_LEVEL` or `RUST_LOG` does: a level, or levels by target as in
    /// `info,sqlx=warn`.
    ///
    /// A target covers all targets that begin with it. A target that none covers is logged from the level without a
    /// target, `info` by default. Spans are context: those of level `info` or more severe are open whatever the filter,
    /// unless it is `off` for all targets.
    pub fn filter(self, filter: impl Into<String>) -> Self {
        Self { filter: Some(filter.into()), ..self }
    }

    /// Sets the format of lines, unless `LOG_FORMAT` does.
    pub fn format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// Sets the output, standard output by default.
    ///
    /// A separate thread uses the writer. It passes whole lines, many at once under load, and flushes after each batch.
    /// If the writer fails, the lines of which it accepted no byte count as dropped. Later lines are tried again, after
    /// the rest of a partly accepted line. A writer that fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe) is not
    /// used again. Events that the writer logs while it writes are ignored.
    pub fn writer(self, writer: impl Write + Send + 'static) -> Self {
        Self { writer: Some(Box::new(writer)), ..self }
    }

    /// Sets the maximum size of the queue of unwritten lines in bytes, 8 MiB by default. [`when_full`](Self::when_full)
    /// decides what happens to a line that does not fit.
    pub fn queue_bytes(self, bytes: usize) -> Self {
        Self { queue_bytes: bytes, ..self }
    }

    /// Sets whether a line that does not fit is dropped, which is the default, or makes its thread wait.
    pub fn when_full(self, when_full: WhenFull) -> Self {
        Self { when_full, ..self }
    }

    /// Sets the maximum number of lines of one callsite in a period; by default there is no limit.
    ///
    /// A period begins with a line. Further lines of the callsite in the period are suppressed: they are counted in
    /// `log_events_suppressed_total`, and not in `log_events_total`. A warning `log lines suppressed` at the end of the
    /// period has their number and their callsite. Every `tracing` event in the source is a callsite, whatever its
    /// values; so is every place that logs by the `log` crate. At most 4,096 callsites are watched at a time; others
    /// have no limit.
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

    /// Adds names of fields whose values are written as `[redacted]`, wherever they come from: events, spans, the
    /// attributes' `fields(…)`, [`context::bind`](crate::context::bind).
    ///
    /// ASCII case does not matter. A name also covers names that end in it after a dot: `password` covers
    /// `user.password`. The sources of an error are redacted with it, and `message` is the message. Only names are
    /// compared: a secret inside a message, or in a value under another name, is written.
    pub fn redact(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let redacted = self.redacted.into_iter().chain(names.into_iter().map(Into::into)).collect();
        Self { redacted, ..self }
    }

    /// Sets the maximum number of bytes of a text in a line, at least 64; by default there is no cap. A longer text,
    /// the message included, is cut between two characters, and ends with the number of missing bytes: `…[truncated
    /// 1048576 bytes]`.
    pub fn max_value_bytes(self, bytes: usize) -> Self {
        Self { max_value_bytes: Some(bytes), ..self }
    }

    /// Sets the names of the fields that every JSON line has (default: `timestamp`, `level`, `logger` and `event`).
    ///
    /// A field of yours that has one of these names is written as `field.<name>`. [`Format::Pretty`] does not show the
    /// names.
    ///
    /// ```no_run
    /// use monitor_runtime::logging::{Keys, Logging};
    ///
    /// # fn main() -> Result<(), monitor_runtime::logging::LoggingError> {
    /// let _guard = Logging::builder().keys(Keys::ecs()).init()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Sets whether the line of an event shows its place in the source (default: no).
    ///
    /// The place is two fields: `file`, a path without the folders around its package, and `line`. Both precede
    /// `event`, so a field of yours called `file` or `line` is written as `field.file` or `field.line`.
    pub fn location(self, is_shown: bool) -> Self {
        Self { has_location: is_shown, ..self }
    }

    /// Sets whether the model calls of other crates are counted (default: yes).
    ///
    /// A crate such as `rig`, `genai` with its feature `otel`, or `adk` opens a span with fields `gen_ai.…` for each model
    /// call. While such a span is open, logging counts it as `#[track_model]` counts a function: its call, its duration, its
    /// tokens and its cost. Inside a tracked model call it is the same call and counts once. Only spans of level `info` or
    /// more severe are read, unless the filter opens more, and none if it is `off`.
    pub fn genai_spans(self, are_read: bool) -> Self {
        Self { reads_calls: are_read, ..self }
    }

    /// Sets a layer for the spans of the process, which [`init`](Self::init) installs beside the lines.
    pub(crate) fn span_layer(self, spans: Option<SpanLayer>) -> Self {
        Self { spans, ..self }
    }

    /// Installs the global `tracing` subscriber, and the logger of the `log` crate, whose records become lines with
    /// their key-values. Records that `tracing` itself makes from its events and spans are ignored.
    ///
    /// # Errors
    ///
    /// Fails if a setting is invalid, or if a subscriber is already installed. Nothing has changed then.
    pub fn init(mut self) -> Result<LogGuard, LoggingError> {
        let mut initialised = INITIALISED.lock().unwrap_or_else(PoisonError::into_inner);
        if *initialised {
            return Err(LoggingError::AlreadyInitialised);
        }
        let (spans, reads_calls) = (self.spans.take(), self.reads_calls);
        let (filter, lines, guard) = self.start()?;
        let max_level = filter.max_line_level();
        install(lines, filter, spans, reads_calls).map_err(LoggingError::SubscriberInstalled)?;
        *initialised = true;
        if !records::install(max_level) {
            tracing::warn!(target: LOGGING_TARGET, "the `log` crate has a logger already; its records stay there");
        }
        Ok(guard)
    }

    /// Returns a layer for a `tracing-subscriber` registry, to add beside other layers. The filter applies to this
    /// layer only. Records of the `log` crate are left to the subscriber that the layer becomes part of.
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
    /// Fails if a setting is invalid. Nothing has changed then.
    pub fn layer<S>(self) -> Result<(impl Layer<S> + Send + Sync + 'static, LogGuard), LoggingError>
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        let reads_calls = self.reads_calls;
        let (filter, lines, guard) = self.start()?;
        Ok((log_layer(lines, reads_calls).with_filter(filter), guard))
    }

    fn start(self) -> Result<(LogFilter, Lines<Producer>, LogGuard), LoggingError> {
        let filter = LogFilter::new(settings::targets(settings::from_process, self.filter.as_deref())?);
        let format = settings::format(settings::from_process, self.format)?;
        self.check()?;
        let line_format = match format {
            Format::Json => LineFormat::Json(Layout::new(self.keys, self.has_location)),
            Format::Pretty => LineFormat::Pretty {
                colour: self.writer.is_none() && wants_colour(),
                has_location: self.has_location,
            },
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
        Ok((filter, Lines::new(Producer::new(pipeline, rules.as_ref()), line_format, rules), guard))
    }

    /// Returns a layer that renders lines with these settings into `sink`, without a filter.
    #[cfg(feature = "__fuzzing")]
    pub(crate) fn layer_into<K: super::output::sink::LineSink>(&self, sink: K) -> LogLayer<K> {
        let format = match self.format {
            Some(Format::Pretty) => LineFormat::Pretty { colour: false, has_location: self.has_location },
            _ => LineFormat::Json(Layout::new(self.keys, self.has_location)),
        };
        LogLayer::new(Lines::new(sink, format, ValueRules::new(&self.redacted, self.max_value_bytes)))
    }

    fn check(&self) -> Result<(), LoggingError> {
        if self.queue_bytes == 0 {
            return Err(LoggingError::QueueBytes);
        }
        if let Some((lines, per)) = self.rate_limit.filter(|(lines, per)| *lines == 0 || per.is_zero()) {
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

/// Installs the global subscriber: our own, or a registry if there is also a layer for spans.
fn install(
    lines: Lines<Producer>,
    filter: LogFilter,
    spans: Option<SpanLayer>,
    reads_calls: bool,
) -> Result<(), SetGlobalDefaultError> {
    if let Some(spans) = spans {
        let marker = GlobalMarker.with_filter(LevelFilter::OFF);
        let lines = log_layer(lines, reads_calls).with_filter(filter);
        return set_global_default(tracing_subscriber::registry().with(spans).with(marker).with(lines));
    }
    observer::install_identify(current_span::identify);
    #[cfg(feature = "runs")]
    observer::install_trace(current_span::trace_id);
    if reads_calls {
        foreign_call::install(current_span::foreign_call);
    }
    set_global_default(LogSubscriber::new(lines, filter, reads_calls))
}

fn log_layer(lines: Lines<Producer>, reads_calls: bool) -> LogLayer<Producer> {
    if reads_calls { LogLayer::new(lines) } else { LogLayer::for_lines(lines) }
}

/// Standard output without the standard library's buffer, which would accept lines that it cannot write afterwards.
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
            .field("keys", &self.keys)
            .field("location", &self.has_location)
            .field("genai_spans", &self.reads_calls)
            .finish_non_exhaustive()
    }
}

/// Whether to use colour: only on a terminal, and not if `NO_COLOR` is set to a non-empty value
/// (<https://no-color.org>).
fn wants_colour() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
