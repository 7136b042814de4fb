//! Renders values as JSON, each by its type.

use std::error::Error;
use std::fmt::{self, Write as _};

use crate::error_chain::{self, MORE_BYTES, MOST_VALUE_BYTES};
use crate::json;

pub(crate) fn write_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes an integer as a string if it exceeds 64 bits, since many JSON readers would round it.
pub(crate) fn write_wide(out: &mut Vec<u8>, value: impl itoa::Integer, fits: bool) {
    let quote: &[u8] = if fits { b"" } else { b"\"" };
    out.extend_from_slice(quote);
    write_integer(out, value);
    out.extend_from_slice(quote);
}

pub(crate) fn write_args(out: &mut Vec<u8>, args: fmt::Arguments<'_>) {
    write_quoted(out, |text| {
        // If a formatter fails half-way, its output until then is kept.
        if text.write_fmt(args).is_err() && text.is_full() {
            text.end = usize::MAX;
            let _ = text.write_str(MORE_BYTES);
        }
    });
}

/// Writes the text of an error without its sources.
pub(crate) fn write_error(out: &mut Vec<u8>, error: &(dyn Error + 'static)) {
    write_quoted(out, |text| error_chain::write_message(text, error));
}

pub(crate) fn write_sources(out: &mut Vec<u8>, error: &(dyn Error + 'static)) {
    write_quoted(out, |text| error_chain::write_sources(text, error));
}

fn write_quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Escaped<'_>)) {
    out.push(b'"');
    let end = out.len().saturating_add(MOST_VALUE_BYTES);
    write(&mut Escaped { out, end });
    out.push(b'"');
}

/// Escapes the output of a formatter piece by piece, up to a maximum length.
struct Escaped<'a> {
    out: &'a mut Vec<u8>,
    /// The length of `out` at which further output is refused, since a `Debug` may write without end.
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
