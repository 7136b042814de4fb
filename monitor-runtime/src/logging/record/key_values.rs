//! Passes the key-values of a `log` record into its line.
//!
//! A record becomes an event with fixed fields, so its key-values travel with the message: formatting the message
//! inside of [`with_key_values`] adds them to the line.

use std::cell::Cell;
use std::error::Error;

use log::kv::{self, Source, Value, VisitSource, VisitValue};

use super::fields::{Fields, Key};
use super::values::{write_args, write_error, write_integer, write_sources, write_wide};
use crate::json;

thread_local! {
    /// The fields of the line whose message is being formatted. The formatter takes no argument, and may belong to
    /// another crate.
    static FIELDS: Cell<Option<Fields>> = const { Cell::new(None) };
}

/// Adds key-values to the line whose message is being formatted, if there is one.
pub(crate) fn hand_over(key_values: &dyn Source) {
    let Ok(Some(mut fields)) = FIELDS.try_with(Cell::take) else { return };
    // If a source fails half-way, the key-values until then are kept.
    let _ = key_values.visit(&mut KeyValues(&mut fields));
    let _ = FIELDS.try_with(|slot| slot.set(Some(fields)));
}

/// Formats a record's message by calling `format`, and adds its key-values to `fields`.
///
/// While the thread ends, the thread-local may be gone; the key-values are then missing.
pub(crate) fn with_key_values(fields: &mut Fields, format: impl FnOnce()) {
    let outer = FIELDS.try_with(|slot| slot.replace(Some(std::mem::take(&mut *fields))));
    let _handed_over = outer.map(|outer| HandedOver { fields, outer });
    format();
}

/// Moves the fields back on drop. If a value panics, they are lost.
struct HandedOver<'f> {
    fields: &'f mut Fields,
    /// The fields of an outer line, if this line is formatted while another one is.
    outer: Option<Fields>,
}

impl Drop for HandedOver<'_> {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let fields = FIELDS.try_with(|slot| slot.replace(outer));
        *self.fields = fields.ok().flatten().unwrap_or_default();
    }
}

struct KeyValues<'f>(&'f mut Fields);

impl<'v> VisitSource<'v> for KeyValues<'_> {
    fn visit_pair(&mut self, key: kv::Key<'v>, value: Value<'v>) -> Result<(), kv::Error> {
        value.visit(KeyValue { key: Key::new(key.as_str()), fields: self.0 })
    }
}

/// Renders one value into a line.
struct KeyValue<'f> {
    key: Key<'f>,
    fields: &'f mut Fields,
}

impl KeyValue<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "lets the visitor's methods return the result directly")]
    fn put(&mut self, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), kv::Error> {
        self.key = self.fields.add(self.key, value);
        Ok(())
    }
}

/// Renders values as `visit` renders the fields of `tracing`.
impl<'v> VisitValue<'v> for KeyValue<'_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.put(|out| write_args(out, format_args!("{value}")))
    }

    /// Skips the value, for example `None`.
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
