//! The records of the `log` crate, with their key-values, on their way into lines.
//!
//! A record becomes an event of `tracing`, as `tracing-log` makes one, so that the subscriber at hand gets it, whosever that is.
//! The fields of such an event are fixed and have no room for key-values. These come with the message: whoever formats it
//! inside of [`with_key_values`] gets them too, as late as the message itself.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Display};

use log::kv::{self, Source, Value, VisitSource, VisitValue};
use log::{Log, Record};
use tracing::level_filters::LevelFilter;
use tracing::{Event, dispatcher};
use tracing_log::{AsLog as _, AsTrace as _};

use super::fields::{Fields, Key};
use super::line::is_muted;
use super::visit::{write_args, write_error, write_integer, write_sources, write_wide};
use super::{copies, outlet};
use crate::json;

thread_local! {
    /// The fields of the line whose message is being formatted.
    static FIELDS: Cell<Option<Fields>> = const { Cell::new(None) };
    /// The event at hand is made of a record that is no copy.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Makes this the process's logger, for records down to `most`; says whether it could.
pub(super) fn install(most: LevelFilter) -> bool {
    let is_installed = log::set_logger(&Records).is_ok();
    if is_installed {
        log::set_max_level(most.as_log());
    }
    is_installed
}

/// Takes the records of the process.
struct Records;

impl Log for Records {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level().as_trace() <= LevelFilter::current()
            && dispatcher::get_default(|dispatch| dispatch.enabled(&metadata.as_trace()))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || copies::is_copy(record) {
            return;
        }
        let _ours = Ours::begin();
        let message = Message(record);
        let _ = tracing_log::format_trace(&record.to_builder().args(format_args!("{message}")).build());
    }

    /// As [`LogGuard::flush`](super::LogGuard::flush) does, within the same time.
    fn flush(&self) {
        // The writer would wait for itself.
        if !is_muted() {
            outlet::flush_all();
        }
    }
}

/// Marks events as made here while it lives.
struct Ours {
    before: bool,
}

impl Ours {
    fn begin() -> Self {
        Self { before: IS_OURS.replace(true) }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        IS_OURS.set(self.before);
    }
}

/// Whether the event is a copy of another one, which a logger other than ours has let through.
pub(super) fn is_copy(event: &Event<'_>) -> bool {
    event.metadata().target() == "log" && !IS_OURS.get() && copies::is_copy_handed_on(event)
}

/// A record's message, which leaves its key-values on the way.
struct Message<'r, 'a>(&'r Record<'a>);

impl Display for Message<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        leave(self.0.key_values());
        self.0.args().fmt(f)
    }
}

/// Adds key-values to the line whose message is being formatted, if there is one.
fn leave(key_values: &dyn Source) {
    let Ok(Some(mut fields)) = FIELDS.try_with(Cell::take) else { return };
    // A source that fails half-way has still said something.
    let _ = key_values.visit(&mut KeyValues(&mut fields));
    let _ = FIELDS.try_with(|place| place.set(Some(fields)));
}

/// Has the message of a record formatted, whose key-values are added to `fields`.
///
/// While the thread ends there may be no place left to hand them over; then they are missing.
pub(super) fn with_key_values(fields: &mut Fields, format: impl FnOnce()) {
    let outer = FIELDS.try_with(|place| place.replace(Some(std::mem::take(&mut *fields))));
    let _handed = outer.map(|outer| Handed { fields, outer });
    format();
}

/// Takes fields back where they came from, also if a value panics: then nothing is left of them.
struct Handed<'f> {
    fields: &'f mut Fields,
    /// Those of the line inside of which this one is formatted.
    outer: Option<Fields>,
}

impl Drop for Handed<'_> {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let fields = FIELDS.try_with(|place| place.replace(outer));
        *self.fields = fields.ok().flatten().unwrap_or_default();
    }
}

struct KeyValues<'f>(&'f mut Fields);

impl<'v> VisitSource<'v> for KeyValues<'_> {
    fn visit_pair(&mut self, key: kv::Key<'v>, value: Value<'v>) -> Result<(), kv::Error> {
        value.visit(KeyValue { key: Key::new(key.as_str()), fields: self.0 })
    }
}

/// One value on its way into a line.
struct KeyValue<'f> {
    key: Key<'f>,
    fields: &'f mut Fields,
}

impl KeyValue<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "the visitor's methods end with it")]
    fn put(&mut self, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), kv::Error> {
        self.key = self.fields.add(self.key, value);
        Ok(())
    }
}

/// As `visit` writes the fields of `tracing`.
impl<'v> VisitValue<'v> for KeyValue<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.put(|out| write_args(out, format_args!("{value}")))
    }

    /// Such as `None`.
    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.put(|out| write_integer(out, value))
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.put(|out| write_integer(out, value))
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), kv::Error> {
        self.put(|out| write_wide(out, value, u64::try_from(value).is_ok()))
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), kv::Error> {
        let fits = i64::try_from(value).is_ok() || u64::try_from(value).is_ok();
        self.put(|out| write_wide(out, value, fits))
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.put(|out| json::write_f64(out, value))
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.put(|out| out.extend_from_slice(if value { b"true" } else { b"false" }))
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.put(|out| json::write_str(out, value))
    }

    fn visit_char(&mut self, value: char) -> Result<(), kv::Error> {
        self.put(|out| json::write_str(out, value.encode_utf8(&mut [0; 4])))
    }

    fn visit_error(&mut self, value: &(dyn Error + 'static)) -> Result<(), kv::Error> {
        self.put(|out| write_error(out, value))?;
        if value.source().is_some() {
            self.key = self.key.chain();
            self.put(|out| write_sources(out, value))?;
        }
        Ok(())
    }

    fn visit_borrowed_error(&mut self, value: &'v (dyn Error + 'static)) -> Result<(), kv::Error> {
        self.visit_error(value)
    }
}
