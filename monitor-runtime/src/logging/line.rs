//! One log line, put together in buffers that each thread keeps.

use std::cell::Cell;

use tracing::span::{Attributes, Record};
use tracing::{Event, Level, Metadata};
use tracing_log::NormalizeEvent as _;

use super::fields::{Fields, Key};
use super::forms::{Forms, write_head};
use super::pretty;
use super::rules::ValueRules;
use super::source;
use super::visit::{EventPlace, Visitor, write_args};
use crate::json;
use crate::timestamp::Timestamps;

/// A thread keeps its buffers up to this size; a line of megabytes does not stay.
const KEPT_BYTES: usize = 64 * 1_024;

/// How deep lines may lie in each other: a value that logs while it is formatted has one inside of its own. One that
/// logs itself would go on until the stack is used up.
const DEEPEST: u32 = 4;

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Json,
    Pretty { colour: bool },
}

/// The buffers a line is put together in.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// JSON: everything up to the message. Pretty: the message alone, as JSON.
    head: Vec<u8>,
    fields: Fields,
    pretty: Vec<u8>,
    timestamps: Timestamps,
    forms: Forms,
    silence: Option<Silence>,
    /// What the fields become when there are rules for their values.
    spare: Fields,
}

/// Why nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The thread is the writer's own.
    Muted,
    /// Lines lie in each other too deep.
    TooDeep,
}

thread_local! {
    static LINE: Cell<Option<Box<Line>>> = const { Cell::new(None) };
    /// Looked at only where `LINE` is empty.
    static HERE: Cell<Here> = const { Cell::new(Here { has_line: false, is_muted: false, depth: 0 }) };
}

/// What a thread knows of its lines.
#[derive(Clone, Copy, Debug)]
struct Here {
    /// Its buffers are made, and lent if they are not to be found.
    has_line: bool,
    is_muted: bool,
    /// The buffers that are in use beside its own.
    depth: u32,
}

/// A line that is being put together.
struct Lent {
    line: Option<Box<Line>>,
    /// It is the thread's own, and goes back there.
    is_own: bool,
}

/// Lends this thread's buffers.
///
/// They are taken out meanwhile: a value that logs while it is being formatted finds none and makes its own.
pub(super) fn with_line<T>(work: impl FnOnce(&mut Line) -> T) -> T {
    let mut lent = match LINE.try_with(Cell::take) {
        Ok(Some(line)) => Lent { line: Some(line), is_own: true },
        _ => Lent::fresh(),
    };
    work(lent.line.get_or_insert_default())
}

impl Lent {
    #[cold]
    fn fresh() -> Self {
        // While a thread ends it has nothing of its own any more.
        HERE.try_with(|place| {
            let here = place.get();
            let depth = if here.has_line { here.depth + 1 } else { 0 };
            place.set(Here { has_line: true, depth, ..here });
            let silence = match depth {
                _ if here.is_muted => Some(Silence::Muted),
                ..DEEPEST => None,
                DEEPEST.. => Some(Silence::TooDeep),
            };
            Self { line: Some(Box::new(Line { silence, ..Line::default() })), is_own: !here.has_line }
        })
        .unwrap_or(Self { line: None, is_own: true })
    }
}

/// Also when the work panics, whose half line is overwritten by the next.
impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_own {
            let _ = HERE.try_with(|here| here.set(Here { depth: here.get().depth - 1, ..here.get() }));
            return;
        }
        let mut line = self.line.take();
        if let Some(line) = &mut line {
            line.shrink();
        }
        // Refused while the thread ends, and then there is nothing to keep them for.
        let _ = LINE.try_with(|kept| kept.set(line));
    }
}

/// Leaves what this thread logs out from now on: the writer's own thread would otherwise log about logging for ever.
pub(super) fn mute_thread() {
    let _ = HERE.try_with(|here| here.set(Here { is_muted: true, has_line: false, depth: 0 }));
    let _ = LINE.try_with(Cell::take);
}

/// Whether the thread is a writer's own.
pub(super) fn is_muted() -> bool {
    HERE.try_with(|here| here.get().is_muted).unwrap_or(false)
}

/// The place of `level` in [`LEVELS`].
pub(super) fn rank(level: Level) -> usize {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}

impl Line {
    pub(super) fn silence(&self) -> Option<Silence> {
        self.silence
    }

    #[inline]
    fn shrink(&mut self) {
        let fields = self.fields.capacity().max(self.spare.capacity());
        if self.head.capacity().max(self.pretty.capacity()).max(fields) > KEPT_BYTES {
            *self = Self { silence: self.silence, ..Self::default() };
        }
    }

    /// Renders what is recorded for a span after it was opened.
    pub(super) fn record(&mut self, values: &Record<'_>) -> &Fields {
        self.fields.clear();
        if self.silence.is_some() {
            return &self.fields;
        }
        values.record(&mut Visitor { place: &mut self.fields, keys: &[] });
        &self.fields
    }

    /// The buffer for fields, empty.
    pub(super) fn fields(&mut self) -> &mut Fields {
        self.fields.clear();
        &mut self.fields
    }

    /// Renders what a span binds by itself.
    pub(super) fn bind(&mut self, attributes: &Attributes<'_>) -> &Fields {
        self.fields.clear();
        if self.silence.is_some() {
            return &self.fields;
        }
        let keys = &self.forms.of(attributes.metadata()).keys;
        attributes.record(&mut Visitor { place: &mut self.fields, keys });
        &self.fields
    }

    /// Renders an event with what is bound around it, which `copy_bound` copies into an empty buffer.
    pub(super) fn render(
        &mut self,
        look: Look,
        rules: Option<&ValueRules>,
        event: &Event<'_>,
        copy_bound: impl FnOnce(&mut Fields),
    ) -> [&[u8]; 2] {
        let metadata = event.metadata();
        let log = if metadata.target() == "log" { event.normalized_metadata() } else { None };
        let level = *metadata.level();
        match (look, &log) {
            (Look::Json, None) => {}
            (Look::Json, Some(log)) => self.begin_json(level, log.target()),
            (Look::Pretty { colour }, log) => {
                let logger = log.as_ref().map_or(metadata.target(), |log| log.target());
                self.begin_pretty(level, logger, colour);
            }
        }
        let form = self.forms.of(metadata);
        if look == Look::Json && log.is_none() {
            stamp(&mut self.head, &mut self.timestamps);
            self.head.extend_from_slice(&form.head);
        }
        self.fields.clear();
        // Copied before any value is formatted, so that the span is not locked while a user's code runs.
        copy_bound(&mut self.fields);
        let message = self.head.len();
        let place = EventPlace {
            message: &mut self.head,
            has_message: false,
            is_log: log.is_some(),
            fields: &mut self.fields,
        };
        let mut visitor = Visitor { place, keys: &form.keys };
        event.record(&mut visitor);
        if !visitor.place.has_message {
            write_name(&mut self.head, metadata, &mut self.fields);
        }
        if let Some(rules) = rules {
            rules.apply(&mut self.head, message, &mut self.fields, &mut self.spare);
        }
        self.end(look)
    }

    /// Renders a line of the writer's own.
    pub(super) fn render_own(
        &mut self,
        look: Look,
        level: Level,
        message: &str,
        fields: impl FnOnce(&mut Fields),
    ) -> [&[u8]; 2] {
        self.fields.clear();
        match look {
            Look::Json => self.begin_json(level, super::TARGET),
            Look::Pretty { colour } => self.begin_pretty(level, super::TARGET, colour),
        }
        json::write_str(&mut self.head, message);
        fields(&mut self.fields);
        self.end(look)
    }

    fn begin_json(&mut self, level: Level, logger: &str) {
        stamp(&mut self.head, &mut self.timestamps);
        write_head(&mut self.head, rank(level), logger);
    }

    fn begin_pretty(&mut self, level: Level, logger: &str, colour: bool) {
        self.head.clear();
        self.pretty.clear();
        pretty::begin(&mut self.pretty, &mut self.timestamps, level, logger, colour);
    }

    /// The finished line in two parts, which spares copying them into one.
    fn end(&mut self, look: Look) -> [&[u8]; 2] {
        match look {
            Look::Json => {
                self.fields.end_object();
                [&self.head, self.fields.bytes()]
            }
            Look::Pretty { colour } => {
                pretty::end(&mut self.pretty, &self.head, &self.fields, colour);
                [&self.pretty, b""]
            }
        }
    }
}

/// Writes what stands in the place of the message of an event that has none. A name that is a place in the source is not the same
/// in the next version, so that nothing could be grouped by it.
#[cold]
fn write_name(head: &mut Vec<u8>, metadata: &Metadata<'_>, fields: &mut Fields) {
    let Some((file, line)) = source::named_after(metadata) else {
        return json::write_str(head, metadata.name());
    };
    json::write_str(head, metadata.target());
    fields.add(Key::new("callsite"), |out| write_args(out, format_args!("{file}:{line}")));
}

/// Begins a JSON line, up to the timestamp's end.
fn stamp(head: &mut Vec<u8>, timestamps: &mut Timestamps) {
    head.clear();
    head.extend_from_slice(b"{\"timestamp\":\"");
    timestamps.write_now(head);
}
