//! The two forms of an answer: JSON objects, and tables of text.

use std::fmt::{Display, Write as _};
use std::time::{Duration, SystemTime};

use ::http::{Response, StatusCode};
use bytes::Bytes;

use crate::json;
use crate::monitor::endpoints::answer;

pub(super) fn json_answer(body: Vec<u8>) -> Response<Bytes> {
    answer::json(StatusCode::OK, body.into())
}

pub(super) fn text_answer(body: String) -> Response<Bytes> {
    answer::lines(StatusCode::OK, body)
}

/// A JSON object in the making.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    pub(super) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        json::write_str(self.out, name);
        self.out.push(b':');
        self.out
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        json::write_str(self.key(name), value);
    }

    /// A number or a truth value, which is JSON as it is displayed; `null` if there is none.
    pub(super) fn plain(&mut self, name: &str, value: Option<impl Display>) {
        let text = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        self.key(name).extend_from_slice(text.as_bytes());
    }

    /// A number or a truth value, or nothing.
    pub(super) fn known(&mut self, name: &str, value: Option<impl Display>) {
        if value.is_some() {
            self.plain(name, value);
        }
    }

    /// A number with a fraction; `null` if there is none.
    pub(super) fn decimal(&mut self, name: &str, value: Option<f64>) {
        write_decimal(self.key(name), value);
    }

    /// A text, or `null`.
    pub(super) fn maybe(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.plain(name, None::<u8>),
        }
    }

    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Vec<u8>, T),
    ) {
        let out = self.key(name);
        out.push(b'[');
        for (at, item) in items.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write(out, item);
        }
        out.push(b']');
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

/// Writes a number with at most six decimals; `null` for none, and for one that is none.
pub(super) fn write_decimal(out: &mut Vec<u8>, value: Option<f64>) {
    match value.filter(|value| value.is_finite()) {
        Some(value) => json::write_f64(out, (value * 1e6).round() / 1e6),
        None => out.extend_from_slice(b"null"),
    }
}

pub(super) fn micros(duration: Duration) -> u128 {
    duration.as_micros()
}

pub(super) fn epoch_micros(time: SystemTime) -> u128 {
    micros(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Seconds as whole microseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bucket bounds are positive and below 1e9 seconds"
)]
pub(super) fn seconds_as_micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

/// Text of others on one line, without characters that change a terminal.
pub(super) fn one_line(text: &str) -> String {
    let mut out = Vec::new();
    json::write_escaped(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Rows of cells, the first with the names of the columns.
pub(super) struct Table(Vec<Vec<String>>);

impl Table {
    pub(super) fn new(columns: &[&str]) -> Self {
        Self(vec![columns.iter().map(|name| (*name).to_owned()).collect()])
    }

    /// A table without names of columns.
    pub(super) fn plain() -> Self {
        Self(Vec::new())
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// The table with columns as wide as their widest cell, two spaces apart.
    pub(super) fn aligned(&self) -> String {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column| self.0.iter().filter_map(move |row| row.get::<usize>(column));
        let width = |column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.0 {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing into memory cannot fail.
                let _ = write!(line, "{cell:width$}  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// A figure in a table; a dash if it is not known.
pub(super) fn cell(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A figure with at most six decimals; a dash if it is not known.
pub(super) fn decimal_cell(value: Option<f64>) -> String {
    let mut out = Vec::new();
    match value {
        Some(_) => write_decimal(&mut out, value),
        None => out.push(b'-'),
    }
    String::from_utf8(out).unwrap_or_default()
}
