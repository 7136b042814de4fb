//! The readable format: `2026-03-21T09:30:00.000125Z  INFO target: message key=value`.

use tracing::Level;

use super::fields::{Field, Fields};
use crate::json;
use crate::timestamp::Timestamps;

const RESET: &[u8] = b"\x1b[0m";
const DIM: &[u8] = b"\x1b[2m";

/// Writes the part before the message.
pub(crate) fn begin(
    out: &mut Vec<u8>,
    timestamps: &mut Timestamps,
    level: Level,
    logger: &str,
    colour: bool,
) {
    painted(out, colour.then_some(DIM), |out| timestamps.write_now(out));
    out.push(b' ');
    let (name, paint): (&[u8], &[u8]) = shown(level);
    painted(out, colour.then_some(paint), |out| out.extend_from_slice(name));
    out.push(b' ');
    painted(out, colour.then_some(DIM), |out| json::write_escaped(out, logger));
    out.extend_from_slice(b": ");
}

/// Inserts the place in the source between the logger and the message.
pub(crate) fn write_place(out: &mut Vec<u8>, file: &str, line: u32) {
    out.truncate(out.len() - b": ".len());
    out.push(b' ');
    json::write_escaped(out, file);
    out.extend_from_slice(format!(":{line}: ").as_bytes());
}

/// Writes the message, which is given as a JSON string, and the fields.
pub(crate) fn end(out: &mut Vec<u8>, message: &[u8], fields: &Fields, colour: bool) {
    write_message(out, message);
    for field in fields.iter() {
        out.push(b' ');
        painted(out, colour.then_some(DIM), |out| {
            out.extend_from_slice(field.key());
            out.push(b'=');
        });
        write_value(out, field);
    }
    out.push(b'\n');
}

/// The name and colour of a level. Names have equal width, so that messages are aligned.
fn shown(level: Level) -> (&'static [u8], &'static [u8]) {
    match level {
        Level::ERROR => (b"ERROR", b"\x1b[31m"),
        Level::WARN => (b" WARN", b"\x1b[33m"),
        Level::INFO => (b" INFO", b"\x1b[32m"),
        Level::DEBUG => (b"DEBUG", b"\x1b[34m"),
        Level::TRACE => (b"TRACE", b"\x1b[35m"),
    }
}

fn painted(out: &mut Vec<u8>, paint: Option<&[u8]>, write: impl FnOnce(&mut Vec<u8>)) {
    if let Some(paint) = paint {
        out.extend_from_slice(paint);
    }
    write(out);
    if paint.is_some() {
        out.extend_from_slice(RESET);
    }
}

/// Unescapes quotes and backslashes, for reading. Characters that would break the line or the terminal stay escaped.
fn write_message(out: &mut Vec<u8>, message: &[u8]) {
    let inside = unquoted(message).unwrap_or(message);
    let mut bytes = inside.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let written = match (byte, bytes.peek()) {
            (b'\\', Some(&escaped @ (b'"' | b'\\'))) => {
                bytes.next();
                escaped
            }
            _ => byte,
        };
        out.push(written);
    }
}

/// Writes a value. A string loses its quotes if its end is clear without them.
fn write_value(out: &mut Vec<u8>, field: Field<'_>) {
    let value = field.value();
    match unquoted(value) {
        Some(inside) if !inside.is_empty() && inside.iter().all(|&byte| is_plain(byte)) => {
            out.extend_from_slice(inside);
        }
        _ => out.extend_from_slice(value),
    }
}

fn unquoted(json: &[u8]) -> Option<&[u8]> {
    json.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn is_plain(byte: u8) -> bool {
    byte > b' ' && byte != b'=' && byte != b'\\' && byte != b'"'
}

#[cfg(test)]
mod tests {
    use super::super::fields::Key;
    use super::*;

    fn line(message: &str, fields: &[(&str, &str)], colour: bool) -> String {
        let (mut out, mut rendered) = (Vec::new(), Fields::default());
        for (name, value) in fields {
            rendered.add(Key::new(name), |out| out.extend_from_slice(value.as_bytes()));
        }
        begin(&mut out, &mut Timestamps::default(), Level::INFO, "notes::ask", colour);
        end(&mut out, message.as_bytes(), &rendered, colour);
        String::from_utf8(out).unwrap()
    }

    fn after_time(line: &str) -> &str {
        line.split_once("Z ").unwrap().1
    }

    #[test]
    fn a_line_reads_from_time_to_fields() {
        let line = line(r#""answered""#, &[("agent_id", r#""planner""#), ("sources", "3")], false);
        assert_eq!(after_time(&line), " INFO notes::ask: answered agent_id=planner sources=3\n");
    }

    #[test]
    fn a_value_is_quoted_where_its_end_would_not_be_seen() {
        let fields = [
            ("a", r#""two words""#),
            ("b", r#""""#),
            ("c", r#""x=y""#),
            ("d", r#""q\"""#),
            ("e", r#""naïve""#),
        ];
        assert!(
            line(r#""m""#, &fields, false)
                .ends_with("m a=\"two words\" b=\"\" c=\"x=y\" d=\"q\\\"\" e=naïve\n")
        );
    }

    #[test]
    fn a_message_shows_quotes_and_backslashes_unescaped() {
        let message = r#""a \"b\" c:\\n d\n\u001b[31m""#;
        assert_eq!(
            after_time(&line(message, &[], false)),
            " INFO notes::ask: a \"b\" c:\\n d\\n\\u001b[31m\n"
        );
    }

    #[test]
    fn nothing_that_is_logged_breaks_a_line_or_reaches_the_terminal() {
        let text = "a\n\u{1b}[31m\u{85}\u{9b}31m\u{2028}\u{2029}\u{7f}";
        let mut json = Vec::new();
        json::write_str(&mut json, text);
        let json = String::from_utf8(json).unwrap();
        let line = line(&json, &[("b", &json)], false);
        let (line, after) = line.split_at(line.len() - 1);
        assert_eq!(after, "\n");
        assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{line:?}");
        assert_eq!(line.matches("\\u009b31m\\u2028").count(), 2, "{line:?}");
    }

    #[test]
    fn colours_come_in_pairs_and_only_when_wanted() {
        let coloured = line(r#""m""#, &[("a", "1")], true);
        assert!(coloured.contains("\x1b[32m INFO\x1b[0m"), "{coloured:?}");
        assert!(coloured.ends_with(" \x1b[2ma=\x1b[0m1\n"), "{coloured:?}");
        assert!(!line(r#""m""#, &[("a", "1")], false).contains('\x1b'));
    }
}
