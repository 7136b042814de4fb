//! Writing JSON by hand: the few forms that log lines and health answers need, into a reused buffer.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string, quotes and backslashes escaped, and more than RFC 8259, section 7, asks
/// for: every control character, those of U+0080 to U+009F included, and U+2028 and U+2029. A terminal takes U+009B for
/// the beginning of a command, and some readers end a line at U+0085, U+2028 or U+2029.
#[inline]
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaping(out, text.as_bytes());
    }
}

/// Whether [`write_escaped`] would change the text.
#[cfg(any(feature = "http", all(feature = "health", feature = "logging")))]
pub(crate) fn is_escaped(text: &str) -> bool {
    let mut written = Vec::new();
    !is_plain(text.as_bytes()) && {
        write_escaping(&mut written, text.as_bytes());
        written != text.as_bytes()
    }
}

/// Appends a finite float as the shortest JSON number that reads back as the same value, and `NaN` and the
/// infinities, which JSON lacks, as the strings `"NaN"`, `"inf"`, `"-inf"`.
pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    use std::io::Write as _;
    // `Debug` and not `Display`: `1e300` stays five characters long, and `1.0` stays a float to its readers.
    let written = if value.is_finite() { write!(out, "{value:?}") } else { write!(out, "\"{value}\"") };
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
}

fn write_escaping(out: &mut Vec<u8>, mut rest: &[u8]) {
    loop {
        let (plain, suspect) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        rest = match *suspect {
            [] => return,
            [0xc2, control @ 0x80..=0x9f, ref after @ ..] => {
                write_code(out, [0, control]);
                after
            }
            [0xe2, 0x80, separator @ 0xa8..=0xa9, ref after @ ..] => {
                write_code(out, [0x20, separator - 0x80]);
                after
            }
            [first @ (0xc2 | 0xe2), ref after @ ..] => {
                out.push(first);
                after
            }
            [byte, ref after @ ..] => {
                write_escape(out, byte);
                after
            }
        };
    }
}

/// How many bytes at the front are written as they are, without a second look.
fn plain_len(bytes: &[u8]) -> usize {
    let plain = bytes.as_chunks().0.iter().take_while(|word| !any_suspect(**word)).count() * 8;
    plain + bytes[plain..].iter().take_while(|&&byte| !is_suspect(byte)).count()
}

/// Whether all are written as they are, without a second look. Looks at words that overlap where the length is no multiple of theirs.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(&last) = bytes.last_chunk() {
        return !any_suspect(last) && bytes.as_chunks().0.iter().all(|&word| !any_suspect(word));
    }
    if let (Some(&[a, b, c, d]), Some(&[w, x, y, z])) = (bytes.first_chunk(), bytes.last_chunk()) {
        return !any_suspect([a, b, c, d, w, x, y, z]);
    }
    bytes.iter().all(|&byte| !is_suspect(byte))
}

/// Whether the byte is escaped, or begins in UTF-8 what may be: U+0080 to U+00BF, or U+2000 to U+2FFF.
const fn is_suspect(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f | 0xc2 | 0xe2)
}

/// The same of eight bytes, by the arithmetic of "Determine if a word has a byte less than n" and its neighbours in
/// <https://graphics.stanford.edu/~seander/bithacks.html>.
#[inline]
const fn any_suspect(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word
    }
    let word = u64::from_ne_bytes(bytes);
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    let delete = below(word ^ (ONES * 0x7f), 1);
    // 0xc2 and 0xe2 differ in this bit alone.
    let lead = below((word | (ONES * 0x20)) ^ (ONES * 0xe2), 1);
    (below(word, 0x20) | quote | backslash | delete | lead) & HIGH != 0
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => write_code(out, [0, byte]),
    }
}

fn write_code(out: &mut Vec<u8>, code: [u8; 2]) {
    out.extend_from_slice(b"\\u");
    for byte in code {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        write_escaped(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    fn float(value: f64) -> String {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_control_character_line_separator_quote_and_backslash_is_escaped() {
        for character in '\0'..='\u{3000}' {
            let text = character.to_string();
            let expected = match character {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(character)),
                _ if character.is_control() => format!("\\u{:04x}", u32::from(character)),
                _ => text.clone(),
            };
            for before in ["", "seven b"] {
                assert_eq!(
                    escaped(&format!("{before}{text}{text}")),
                    format!("{before}{expected}{expected}")
                );
            }
        }
    }

    #[test]
    fn an_escape_is_found_at_every_place_of_a_long_text() {
        for at in 0..50 {
            for after in 0..20 {
                let (before, after) = ("a".repeat(at), "é".repeat(after));
                assert_eq!(escaped(&format!("{before}\n{after}")), format!("{before}\\n{after}"));
                assert_eq!(escaped(&format!("{before}\n\"{after}")), format!("{before}\\n\\\"{after}"));
            }
        }
    }

    #[test]
    fn eight_bytes_are_judged_as_each_of_them_is() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for others in [b'a', 0x80, 0xff, b' ', b'!', b'#', b'[', b']', 0xc3, 0xe1] {
                    let mut bytes = [others; 8];
                    bytes[at] = byte;
                    assert_eq!(any_suspect(bytes), is_suspect(byte), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn other_text_beyond_ascii_is_written_as_it_is() {
        let text = "naïve 🦀 “£5” – 5 €";
        assert_eq!(escaped(text), text);
    }

    #[test]
    fn floats_read_back_as_themselves_and_what_json_lacks_is_a_string() {
        assert_eq!(float(1.0), "1.0");
        assert_eq!(float(-0.25), "-0.25");
        assert_eq!(float(1e300), "1e300");
        assert_eq!(float(5e-324), "5e-324");
        assert_eq!(float(f64::NAN), "\"NaN\"");
        assert_eq!(float(f64::INFINITY), "\"inf\"");
        assert_eq!(float(f64::NEG_INFINITY), "\"-inf\"");
    }
}
