//! A small JSON writer for log lines and health answers, into a reused buffer, and a reader of values.

pub(crate) mod value;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends `text` as the inside of a JSON string. Besides the characters that RFC 8259, section 7, requires, it escapes
/// invisible characters that affect terminals or readers; see [`is_hidden`].
#[inline]
pub(crate) fn write_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaping(out, text);
    }
}

/// Reads a string that [`write_str`] wrote; `None` if `json` is not a string.
pub(crate) fn read_str(json: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(json).ok()?.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    let mut units = Vec::new();
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        // A character beyond the first plane is escaped as two surrogates.
        units.clear();
        while let Some(code) = rest.strip_prefix('u') {
            units.push(u16::from_str_radix(code.get(..4)?, 16).ok()?);
            rest = &code[4..];
            match rest.strip_prefix('\\') {
                Some(next) if next.starts_with('u') => rest = next,
                _ => break,
            }
        }
        if units.is_empty() {
            let escape = rest.chars().next()?;
            text.push(match escape {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                same => same,
            });
            rest = &rest[escape.len_utf8()..];
        } else {
            text.push_str(&String::from_utf16(&units).ok()?);
        }
    }
    text.push_str(rest);
    Some(text)
}

/// Whether [`write_escaped`] would change the text.
pub(crate) fn is_escaped(text: &str) -> bool {
    text.chars().any(|character| match u8::try_from(character) {
        Ok(byte @ ..0x80) => is_suspect(byte),
        _ => is_hidden(character),
    })
}

/// Whether a non-ASCII character is escaped. A terminal takes U+009B as the beginning of a command. Some readers end a
/// line at U+0085, U+2028 or U+2029. Directional marks and overrides change the order in which a text is shown.
/// Characters without width, and tags, make different texts look the same.
pub(crate) const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Appends a finite float as the shortest JSON number that reads back as the same value. `NaN` and the infinities,
/// which JSON lacks, become the strings `"NaN"`, `"inf"` and `"-inf"`.
pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    use std::io::Write as _;
    // `Debug` instead of `Display`: `1e300` stays five characters long, and `1.0` stays a float for readers.
    let written = if value.is_finite() { write!(out, "{value:?}") } else { write!(out, "\"{value}\"") };
    debug_assert!(written.is_ok(), "writing to memory cannot fail");
}

fn write_escaping(out: &mut Vec<u8>, mut rest: &str) {
    loop {
        let (plain, suspect) = rest.split_at(plain_len(rest.as_bytes()));
        out.extend_from_slice(plain.as_bytes());
        let mut characters = suspect.chars();
        match characters.next() {
            None => return,
            Some(character) if character.is_ascii() => write_escape(out, character as u8),
            Some(character) if is_hidden(character) => write_code(out, character),
            Some(character) => out.extend_from_slice(&suspect.as_bytes()[..character.len_utf8()]),
        }
        rest = characters.as_str();
    }
}

/// The length of the prefix that needs no escapes.
fn plain_len(bytes: &[u8]) -> usize {
    let plain = words(bytes).take_while(|&word| !any_suspect(word)).count() * 8;
    let plain = plain + bytes[plain..].iter().take_while(|&&byte| !MAY_BE_ESCAPED[usize::from(byte)]).count();
    debug_assert!(!matches!(bytes.get(plain), Some(0x80..=0xbf)), "cut inside a character");
    plain
}

/// The complete words of eight bytes, without a shorter rest.
#[inline]
fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 8]> {
    bytes.chunks_exact(8).filter_map(|word| word.first_chunk().copied())
}

/// Whether the text is plain ASCII without escapes. If the length is not a multiple of eight, the last words overlap.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    if let Some(&last) = bytes.last_chunk() {
        return !any_suspect(last) && words(bytes).all(|word| !any_suspect(word));
    }
    if let (Some(&[a, b, c, d]), Some(&[w, x, y, z])) = (bytes.first_chunk(), bytes.last_chunk()) {
        return !any_suspect([a, b, c, d, w, x, y, z]);
    }
    bytes.iter().all(|&byte| !is_suspect(byte))
}

/// Whether the byte is escaped, or not ASCII.
const fn is_suspect(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f..)
}

/// For each byte, whether it is escaped, or begins a UTF-8 sequence that may be.
const MAY_BE_ESCAPED: [bool; 256] = {
    let mut may_be = [false; 256];
    let mut byte = 0_u8;
    loop {
        may_be[byte as usize] = is_suspect(byte) && byte < 0x80;
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    // The lead bytes of UTF-8 sequences from U+0080, U+0600, U+1000, U+2000, U+F000 and U+E0000 on.
    let leads = [0xc2, 0xd8, 0xe1, 0xe2, 0xef, 0xf3];
    let mut at = 0;
    while at < leads.len() {
        may_be[leads[at]] = true;
        at += 1;
    }
    may_be
};

/// Whether [`is_suspect`] holds for any of eight bytes. The arithmetic is that of "Determine if a word has a byte less
/// than n" and related entries in <https://graphics.stanford.edu/~seander/bithacks.html>.
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
    (below(word, 0x20) | quote | backslash | delete | word) & HIGH != 0
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => write_code(out, char::from(byte)),
    }
}

/// Writes `\u` escapes; beyond U+FFFF, a surrogate pair.
fn write_code(out: &mut Vec<u8>, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let digits = [12, 8, 4, 0].map(|bits| HEX[usize::from(*unit >> bits & 0xf)]);
        out.extend_from_slice(b"\\u");
        out.extend_from_slice(&digits);
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
    fn a_written_string_is_read_back() {
        for text in [
            "",
            "planner",
            "a\"b\\c\n\r\t\u{8}",
            "\u{1}\u{85}\\u",
            "\u{e0041}\u{202e}é🦀",
            "\\n",
            "\u{0}n\u{0}",
        ] {
            let mut out = Vec::new();
            write_str(&mut out, text);
            assert_eq!(read_str(&out).as_deref(), Some(text));
        }
        for no_string in [&b"17"[..], b"true", b"\"", b"\"\\u12\"", b"\"\\ud800\""] {
            assert_eq!(read_str(no_string), None);
        }
    }

    #[test]
    fn control_characters_separators_and_quotes_are_escaped() {
        for character in ('\0'..='\u{3000}').chain('\u{f000}'..='\u{10fff}').chain('\u{d0000}'..='\u{e1000}')
        {
            let text = character.to_string();
            let expected = match character {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(character)),
                _ if character.is_control() => format!("\\u{:04x}", u32::from(character)),
                '\u{e0000}'..='\u{e007f}' => format!("\\udb40\\udc{:02x}", u32::from(character) - 0xe0000),
                _ if is_hidden(character) => format!("\\u{:04x}", u32::from(character)),
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
    fn no_text_shows_in_another_order_or_hides_a_part() {
        let hidden = "\u{ad}\u{61c}\u{180e}\u{200b}\u{200d}\u{200e}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{fff9}\u{e0041}";
        let shown = "\\u00ad\\u061c\\u180e\\u200b\\u200d\\u200e\\u202e\\u2060\\u2066\\u2069\\ufeff\\ufff9\\udb40\\udc41";
        assert_eq!(escaped(hidden), shown);
        for character in hidden.chars() {
            let text = format!("مرحبا {character}ไทย");
            assert_eq!(
                escaped(&text).replace("مرحبا ", "").replace("ไทย", ""),
                escaped(&character.to_string())
            );
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
                    assert_eq!(any_suspect(bytes), bytes.into_iter().any(is_suspect), "{bytes:?}");
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
    fn floats_read_back_equal_and_non_finite_ones_are_strings() {
        assert_eq!(float(1.0), "1.0");
        assert_eq!(float(-0.25), "-0.25");
        assert_eq!(float(1e300), "1e300");
        assert_eq!(float(5e-324), "5e-324");
        assert_eq!(float(f64::NAN), "\"NaN\"");
        assert_eq!(float(f64::INFINITY), "\"inf\"");
        assert_eq!(float(f64::NEG_INFINITY), "\"-inf\"");
    }
}
