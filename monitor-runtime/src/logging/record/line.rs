//! A log line, rendered in buffers that each thread reuses.

use std::cell::Cell;
#[cfg(feature = "runs")]
use std::io::Write as _;

use tracing::span::{Attributes, Record};
use tracing::{Event, Level, Metadata};
use tracing_log::NormalizeEvent as _;

use super::callsite_cache::{CallsiteCache, SpanKind};
use super::fields::{Fields, Key};
use super::layout::{Layout, Place};
use super::level::rank;
use super::pretty;
use super::redaction::ValueRules;
use super::source;
use super::values::write_args;
use super::visit::{EventSink, Visitor};
use crate::json;
use crate::timestamp::Timestamps;

/// The logger of lines about logging itself.
pub(crate) const LOGGING_TARGET: &str = "monitor_runtime::logging";

/// The maximum size at which a thread keeps its buffers, so that a line of megabytes does not stay in memory.
const KEPT_BYTES: usize = 64 * 1_024;

/// The maximum nesting of lines. A value that logs while it is formatted nests a line in another; a value that logs
/// itself would overflow the stack.
const DEEPEST: u32 = 4;

/// The format of a line, with its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineFormat {
    Json(Layout),
    Pretty { colour: bool, has_location: bool },
}

impl LineFormat {
    /// JSON with our own names.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) const JSON: Self = Self::Json(Layout::OWN);

    /// The layout of the prefix that all lines of a callsite share.
    #[inline]
    const fn layout(self) -> Layout {
        match self {
            Self::Json(layout) => layout,
            Self::Pretty { .. } => Layout::OWN,
        }
    }
}

/// The buffers in which a line is rendered.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// JSON: everything up to the message, inclusive. Pretty: the message alone, as JSON.
    head: Vec<u8>,
    fields: Fields,
    pretty: Vec<u8>,
    timestamps: Timestamps,
    callsites: CallsiteCache,
    muted: Option<Muted>,
    /// The fields after the value rules, if there are any.
    scratch: Fields,
    /// Whether the recorder of runs keeps the next line.
    #[cfg(feature = "runs")]
    is_kept: bool,
}

/// Why a line is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Muted {
    /// The thread is a writer thread.
    WriterThread,
    /// The line is nested too deeply.
    TooDeep,
}

thread_local! {
    /// `tracing` passes a value and nothing of ours, so the buffers can only belong to the thread. `None` while they
    /// are borrowed.
    static LINE: Cell<Option<Box<Line>>> = const { Cell::new(None) };
    /// Read only if `LINE` is `None`.
    static THREAD_BUFFER: Cell<ThreadBuffer> = const { Cell::new(ThreadBuffer { has_line: false, is_muted: false, depth: 0 }) };
}

/// The state of a thread's buffers. It is kept apart from them, since it is read while they are borrowed.
#[derive(Clone, Copy, Debug)]
struct ThreadBuffer {
    /// The thread has buffers; if `LINE` is `None`, they are borrowed.
    has_line: bool,
    is_muted: bool,
    /// The number of additional buffers in use.
    depth: u32,
}

/// Buffers in use, returned on drop.
struct Borrowed {
    line: Option<Box<Line>>,
    /// Whether they are the thread's own buffers, which go back to `LINE`.
    is_own: bool,
}

/// Borrows the thread's buffers.
///
/// Meanwhile `LINE` is `None`, so a value that logs while it is formatted gets new buffers.
pub(crate) fn with_line<T>(work: impl FnOnce(&mut Line) -> T) -> T {
    let mut borrowed = match LINE.try_with(Cell::take) {
        Ok(Some(line)) => Borrowed { line: Some(line), is_own: true },
        _ => Borrowed::fresh(),
    };
    work(borrowed.line.get_or_insert_default())
}

impl Borrowed {
    #[cold]
    fn fresh() -> Self {
        // The thread-local is gone while the thread ends.
        THREAD_BUFFER
            .try_with(|state| {
                let here = state.get();
                let depth = if here.has_line { here.depth + 1 } else { 0 };
                state.set(ThreadBuffer { has_line: true, depth, ..here });
                let muted = match depth {
                    _ if here.is_muted => Some(Muted::WriterThread),
                    ..DEEPEST => None,
                    DEEPEST.. => Some(Muted::TooDeep),
                };
                Self { line: Some(Box::new(Line { muted, ..Line::default() })), is_own: !here.has_line }
            })
            .unwrap_or(Self { line: None, is_own: true })
    }
}

/// Returns the buffers even if the work panics; the next line overwrites what is left in them.
impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.is_own {
            let _ = THREAD_BUFFER
                .try_with(|here| here.set(ThreadBuffer { depth: here.get().depth - 1, ..here.get() }));
            return;
        }
        let mut line = self.line.take();
        if let Some(line) = &mut line {
            line.shrink();
        }
        // Fails while the thread ends, when there is nothing to keep the buffers for.
        let _ = LINE.try_with(|kept| kept.set(line));
    }
}

/// Mutes this thread permanently. A writer thread would otherwise log about its own logging without end.
pub(crate) fn mute_thread() {
    let _ =
        THREAD_BUFFER.try_with(|here| here.set(ThreadBuffer { is_muted: true, has_line: false, depth: 0 }));
    let _ = LINE.try_with(Cell::take);
}

/// Whether this is a writer thread.
pub(crate) fn is_muted() -> bool {
    THREAD_BUFFER.try_with(|here| here.get().is_muted).unwrap_or(false)
}

impl Line {
    pub(crate) fn muted(&self) -> Option<Muted> {
        self.muted
    }

    #[inline]
    fn shrink(&mut self) {
        let fields = self.fields.capacity().max(self.scratch.capacity());
        if self.head.capacity().max(self.pretty.capacity()).max(fields) > KEPT_BYTES {
            *self = Self { muted: self.muted, ..Self::default() };
        }
    }

    /// Renders values recorded for a span after it was opened.
    pub(crate) fn record(&mut self, values: &Record<'_>) -> &Fields {
        self.fields.clear();
        if self.muted.is_some() {
            return &self.fields;
        }
        values.record(&mut Visitor { sink: &mut self.fields, keys: &[] });
        &self.fields
    }

    /// Clears and returns the buffer for fields.
    pub(crate) fn fields(&mut self) -> &mut Fields {
        self.fields.clear();
        &mut self.fields
    }

    /// Renders the fields of a new span. Also returns the kind of the span.
    pub(crate) fn bind(&mut self, attributes: &Attributes<'_>) -> (&Fields, SpanKind) {
        self.fields.clear();
        if self.muted.is_some() {
            return (&self.fields, SpanKind::Plain);
        }
        let callsite = self.callsites.get(attributes.metadata(), Layout::OWN);
        attributes.record(&mut Visitor { sink: &mut self.fields, keys: &callsite.keys });
        (&self.fields, callsite.kind)
    }

    /// Renders an event. `copy_bound` copies the bound fields into the empty buffer.
    pub(crate) fn render(
        &mut self,
        format: LineFormat,
        rules: Option<&ValueRules>,
        event: &Event<'_>,
        copy_bound: impl FnOnce(&mut Fields),
    ) -> [&[u8]; 2] {
        let metadata = event.metadata();
        let log = if metadata.target() == "log" { event.normalized_metadata() } else { None };
        let level = *metadata.level();
        match (format, &log) {
            (LineFormat::Json(_), None) => {}
            (LineFormat::Json(layout), Some(log)) => {
                self.begin_json(layout, level, log.target(), source::place(log));
            }
            (LineFormat::Pretty { colour, has_location }, log) => {
                let metadata = log.as_ref().unwrap_or(metadata);
                let place = source::place(metadata).filter(|_| has_location);
                self.begin_pretty(level, metadata.target(), colour, place);
            }
        }
        let prefix = self.callsites.get(metadata, format.layout());
        if let (LineFormat::Json(layout), None) = (format, &log) {
            write_timestamp(&mut self.head, layout, &mut self.timestamps);
            self.head.extend_from_slice(&prefix.head);
        }
        self.fields.clear();
        // Copied before any value is formatted, so that no span is locked while user code runs.
        copy_bound(&mut self.fields);
        let message = self.head.len();
        let sink = EventSink {
            message: &mut self.head,
            has_message: false,
            is_log: log.is_some(),
            fields: &mut self.fields,
        };
        let mut visitor = Visitor { sink, keys: &prefix.keys };
        event.record(&mut visitor);
        if !visitor.sink.has_message {
            write_name(&mut self.head, metadata, &mut self.fields);
        }
        #[cfg(feature = "runs")]
        add_run(&mut self.fields);
        if let Some(rules) = rules {
            rules.apply(&mut self.head, message, &mut self.fields, &mut self.scratch);
        }
        #[cfg(feature = "runs")]
        if std::mem::take(&mut self.is_kept) {
            let logger = log.as_ref().map_or(metadata.target(), Metadata::target);
            keep(level, logger, self.head.get(message..).unwrap_or_default(), &self.fields);
        }
        format.layout().rename(&mut self.fields, &mut self.scratch);
        self.end(format)
    }

    /// Sets whether the recorder of runs keeps the next line.
    #[cfg(feature = "runs")]
    pub(crate) fn keep_if(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    /// Renders a line about logging itself.
    pub(crate) fn render_own(
        &mut self,
        format: LineFormat,
        level: Level,
        message: &str,
        fields: impl FnOnce(&mut Fields),
    ) -> [&[u8]; 2] {
        self.fields.clear();
        match format {
            LineFormat::Json(layout) => self.begin_json(layout, level, LOGGING_TARGET, None),
            LineFormat::Pretty { colour, .. } => self.begin_pretty(level, LOGGING_TARGET, colour, None),
        }
        json::write_str(&mut self.head, message);
        fields(&mut self.fields);
        format.layout().rename(&mut self.fields, &mut self.scratch);
        self.end(format)
    }

    fn begin_json(&mut self, layout: Layout, level: Level, logger: &str, place: Option<Place<'_>>) {
        write_timestamp(&mut self.head, layout, &mut self.timestamps);
        layout.write_head(&mut self.head, rank(level), logger, place);
    }

    fn begin_pretty(&mut self, level: Level, logger: &str, colour: bool, place: Option<Place<'_>>) {
        self.head.clear();
        self.pretty.clear();
        pretty::begin(&mut self.pretty, &mut self.timestamps, level, logger, colour);
        if let Some((file, line)) = place {
            pretty::write_place(&mut self.pretty, file, line);
        }
    }

    /// Finishes the line. It stays in two parts, which saves copying.
    fn end(&mut self, format: LineFormat) -> [&[u8]; 2] {
        match format {
            LineFormat::Json(_) => {
                self.fields.end_object();
                [&self.head, self.fields.bytes()]
            }
            LineFormat::Pretty { colour, .. } => {
                pretty::end(&mut self.pretty, &self.head, &self.fields, colour);
                [&self.pretty, b""]
            }
        }
    }
}

/// Writes a name instead of the message of an event that has none. `tracing` names such an event after its place in the
/// source, which changes with each version, so lines could not be grouped by it. The target is written instead, and the
/// place becomes a field.
#[cold]
fn write_name(head: &mut Vec<u8>, metadata: &Metadata<'_>, fields: &mut Fields) {
    let Some((file, line)) = source::named_after(metadata) else {
        return json::write_str(head, metadata.name());
    };
    json::write_str(head, metadata.target());
    fields.add(Key::new("callsite"), |out| write_args(out, format_args!("{file}:{line}")));
}

/// Begins a JSON line, up to the end of the timestamp.
fn write_timestamp(head: &mut Vec<u8>, layout: Layout, timestamps: &mut Timestamps) {
    head.clear();
    head.extend_from_slice(layout.opening());
    timestamps.write_now(head);
}

/// Hands a line to the recorder of runs, as the rules of its output left it.
#[cfg(feature = "runs")]
#[inline(never)]
fn keep(level: Level, logger: &str, message: &[u8], fields: &Fields) {
    let message = json::read_str(message).unwrap_or_default();
    let fields = fields.iter().map(|field| field.whole());
    crate::run::keep_line(crate::run::LogLine::new(rank(level), logger, &message, fields));
}

/// Adds the id and the tags of the run that encloses the event, unless fields have their names.
#[cfg(feature = "runs")]
fn add_run(fields: &mut Fields) {
    let Some(run) = crate::run::current_id() else { return };
    if !fields.has(b"run_id") {
        fields.add(Key::new("run_id"), |out| {
            // Writing into memory cannot fail.
            let _ = write!(out, "\"{run}\"");
        });
    }
    crate::run::each_current_tag(|field, value| {
        if !fields.has(field.as_bytes()) {
            fields.add(Key::new(field), |out| json::write_str(out, value));
        }
    });
}
