//! Renders the values that `tracing` passes as JSON, each by its type.

use std::error::Error;
use std::fmt::Debug;

use tracing::field::{Field, Visit};

use super::fields::{Fields, Key, RenderedKey};
use super::key_values::with_key_values;
use super::values::{write_args, write_error, write_integer, write_sources, write_wide};
use crate::json;

/// Accepts named values.
pub(crate) trait FieldSink {
    /// Writes a value under `key`, or under a free key derived from it. Returns the key used.
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a>;
}

/// Collects the fields of a span under their own names.
impl FieldSink for &mut Fields {
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        self.bind(key, value)
    }
}

/// Collects one value under a name that belongs to no callsite.
#[derive(Debug)]
pub(crate) struct NamedSink<'f> {
    pub(crate) name: &'static str,
    pub(crate) fields: &'f mut Fields,
}

impl FieldSink for NamedSink<'_> {
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        self.fields.bind(key.renamed(self.name), value)
    }
}

/// Collects an event's message and fields.
#[derive(Debug)]
pub(crate) struct EventSink<'f> {
    pub(crate) message: &'f mut Vec<u8>,
    pub(crate) has_message: bool,
    /// Whether the event is a record of the `log` crate, whose `log.…` fields repeat its metadata.
    pub(crate) is_log: bool,
    pub(crate) fields: &'f mut Fields,
}

impl FieldSink for EventSink<'_> {
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        if key.name() == "message" && !key.is_chain() && !self.has_message {
            self.has_message = true;
            if self.is_log {
                with_key_values(self.fields, || write_as_string(self.message, value));
            } else {
                write_as_string(self.message, value);
            }
            return key;
        }
        if self.is_log && key.name().starts_with("log.") {
            return key;
        }
        self.fields.add(key, value)
    }
}

/// Renders each visited value into the sink.
#[derive(Debug)]
pub(crate) struct Visitor<'f, P> {
    pub(crate) sink: P,
    /// The rendered keys of the callsite's fields; empty if unknown.
    pub(crate) keys: &'f [RenderedKey],
}

impl<P: FieldSink> Visitor<'_, P> {
    #[inline]
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Vec<u8>)) {
        self.sink.put(Key::of(field, self.keys), value);
    }
}

impl<P: FieldSink> Visit for Visitor<'_, P> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |out| json::write_f64(out, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |out| write_integer(out, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |out| write_integer(out, value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        let fits = i64::try_from(value).is_ok() || u64::try_from(value).is_ok();
        self.put(field, |out| write_wide(out, value, fits));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, |out| write_wide(out, value, u64::try_from(value).is_ok()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |out| out.extend_from_slice(if value { b"true" } else { b"false" }));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |out| json::write_str(out, value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let key = self.sink.put(Key::of(field, self.keys), |out| write_error(out, value));
        if value.source().is_some() {
            self.sink.put(key.chain(), |out| write_sources(out, value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, |out| write_args(out, format_args!("{value:?}")));
    }
}

/// Writes a value as a string whatever its type, since readers expect the message to be text.
fn write_as_string(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    value(out);
    // Numbers and booleans need no escaping.
    if out.get(start) != Some(&b'"') {
        out.insert(start, b'"');
        out.push(b'"');
    }
}
