//! From the values that `tracing` hands over to JSON, each by its own type.

use std::error::Error;
use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};

use super::fields::{Fields, Key, KeyForm};
use super::records::with_key_values;
use crate::error_chain::{self, MORE_BYTES, MOST_VALUE_BYTES};
use crate::json;

/// Where a value goes once it has a name.
pub(super) trait Place {
    /// Writes the value under `key`, or the key that stands for it, and says which it was.
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a>;
}

/// The fields that a span binds, under their own names.
impl Place for &mut Fields {
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        self.bind(key, value)
    }
}

/// One value under a name that no callsite knows.
#[derive(Debug)]
pub(super) struct Named<'f> {
    pub(super) name: &'static str,
    pub(super) fields: &'f mut Fields,
}

impl Place for Named<'_> {
    fn put<'a>(&mut self, key: Key<'a>, value: impl FnOnce(&mut Vec<u8>)) -> Key<'a> {
        self.fields.bind(key.renamed(self.name), value)
    }
}

/// An event's message and its own fields.
#[derive(Debug)]
pub(super) struct EventPlace<'f> {
    pub(super) message: &'f mut Vec<u8>,
    pub(super) has_message: bool,
    /// A record of the `log` crate, whose `log.…` fields are the event's metadata.
    pub(super) is_log: bool,
    pub(super) fields: &'f mut Fields,
}

impl Place for EventPlace<'_> {
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

/// Renders each visited value into its place.
#[derive(Debug)]
pub(super) struct Visitor<'f, P> {
    pub(super) place: P,
    /// The keys of the callsite's fields, where they are known.
    pub(super) keys: &'f [KeyForm],
}

impl<P: Place> Visitor<'_, P> {
    #[inline]
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Vec<u8>)) {
        self.place.put(Key::of(field, self.keys), value);
    }
}

impl<P: Place> Visit for Visitor<'_, P> {
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
        let key = self.place.put(Key::of(field, self.keys), |out| write_error(out, value));
        if value.source().is_some() {
            self.place.put(key.chain(), |out| write_sources(out, value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, |out| write_args(out, format_args!("{value:?}")));
    }
}

/// Writes a value that is a string whatever its type: the message is text to everyone who reads lines.
fn write_as_string(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    value(out);
    // Numbers and truth values hold nothing that needs escaping.
    if out.get(start) != Some(&b'"') {
        out.insert(start, b'"');
        out.push(b'"');
    }
}

pub(super) fn write_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Past 64 bits many readers of JSON round, so that a string is the only exact form.
pub(super) fn write_wide(out: &mut Vec<u8>, value: impl itoa::Integer, fits: bool) {
    let quote: &[u8] = if fits { b"" } else { b"\"" };
    out.extend_from_slice(quote);
    write_integer(out, value);
    out.extend_from_slice(quote);
}

pub(super) fn write_args(out: &mut Vec<u8>, args: fmt::Arguments<'_>) {
    write_quoted(out, |text| {
        // A formatter that fails half-way has still said something.
        if text.write_fmt(args).is_err() && text.is_full() {
            text.end = usize::MAX;
            let _ = text.write_str(MORE_BYTES);
        }
    });
}

/// Writes the text of an error without its sources.
pub(super) fn write_error(out: &mut Vec<u8>, error: &(dyn Error + 'static)) {
    write_quoted(out, |text| error_chain::write_message(text, error));
}

pub(super) fn write_sources(out: &mut Vec<u8>, error: &(dyn Error + 'static)) {
    write_quoted(out, |text| error_chain::write_sources(text, error));
}

fn write_quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Escaped<'_>)) {
    out.push(b'"');
    let end = out.len().saturating_add(MOST_VALUE_BYTES);
    write(&mut Escaped { out, end });
    out.push(b'"');
}

/// Escapes what a formatter writes, piece by piece, until there is no room for more.
struct Escaped<'a> {
    out: &'a mut Vec<u8>,
    /// The length past which nothing more is taken: a `Debug` may write without end.
    end: usize,
}

impl Escaped<'_> {
    fn is_full(&self) -> bool {
        self.out.len() >= self.end
    }
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_full() {
            return Err(fmt::Error);
        }
        json::write_escaped(self.out, text);
        Ok(())
    }
}
