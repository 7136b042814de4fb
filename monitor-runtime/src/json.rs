//! Writing JSON by hand: the few forms that log lines and health answers need, into a reused buffer.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string: every control character, quote and backslash escaped
/// (RFC 8259, section 7). U+2028 and U+2029 pass, since they are legal JSON.
#[inline]
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaping(out, text.as_bytes());
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
        let (plain, escaped) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = escaped.split_first() else { return };
        write_escape(out, byte);
        rest = after;
    }
}

/// How many bytes at the front are written as they are.
fn plain_len(bytes: &[u8]) -> usize {
    let plain = bytes.as_chunks().0.iter().take_while(|word| !any_escaped(**word)).count() * 8;
    plain + bytes[plain..].iter().take_while(|&&byte| !is_escaped(byte)).count()
}

/// Whether all are written as they are. Looks at words that overlap where the length is no multiple of theirs.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(&last) = bytes.last_chunk() {
        return !any_escaped(last) && bytes.as_chunks().0.iter().all(|&word| !any_escaped(word));
    }
    if let (Some(&[a, b, c, d]), Some(&[w, x, y, z])) = (bytes.first_chunk(), bytes.last_chunk()) {
        return !any_escaped([a, b, c, d, w, x, y, z]);
    }
    bytes.iter().all(|&byte| !is_escaped(byte))
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0x7f
}

/// The same of eight bytes, by the arithmetic of "Determine if a word has a byte less than n" and its neighbours in
/// <https://graphics.stanford.edu/~seander/bithacks.html>.
#[inline]
const fn any_escaped(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word
    }
    let word = u64::from_ne_bytes(bytes);
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    let delete = below(word ^ (ONES * 0x7f), 1);
    (below(word, 0x20) | quote | backslash | delete) & HIGH != 0
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[high], HEX[low]]);
        }
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
    fn every_control_character_quote_and_backslash_is_escaped() {
        for byte in 0..=0x7f_u8 {
            let text = char::from(byte).to_string();
            let expected = match byte {
                b'"' => "\\\"".to_owned(),
                b'\\' => "\\\\".to_owned(),
                b'\n' => "\\n".to_owned(),
                b'\r' => "\\r".to_owned(),
                b'\t' => "\\t".to_owned(),
                0..0x20 | 0x7f => format!("\\u{byte:04x}"),
                _ => text.clone(),
            };
            assert_eq!(escaped(&text), expected, "{byte:#x}");
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
                for others in [b'a', 0x80, 0xff, b' ', b'!', b'#', b'[', b']'] {
                    let mut bytes = [others; 8];
                    bytes[at] = byte;
                    assert_eq!(any_escaped(bytes), is_escaped(byte), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn text_beyond_ascii_is_written_as_it_is() {
        let text = "naïve 🦀 \u{2028} \u{85}";
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
