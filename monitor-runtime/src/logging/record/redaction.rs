//! Rules for values: secrets are replaced, and long texts are cut.
//!
//! The rules apply to the rendered fields of a line, so they hold wherever a value came from.

use super::fields::{Field, Fields};
use crate::json;

/// The replacement of a secret.
const REDACTED: &[u8] = b"\"[redacted]\"";

/// The rules of one output.
#[derive(Clone, Debug)]
pub(crate) struct ValueRules {
    /// The names of secret fields, escaped like keys.
    secrets: Vec<Vec<u8>>,
    /// The maximum size of a text in bytes.
    max_bytes: usize,
}

impl ValueRules {
    /// Makes the rules; `None` if there are none.
    pub(crate) fn new(secrets: &[String], max_bytes: Option<usize>) -> Option<Self> {
        let secrets: Vec<_> = secrets.iter().map(|name| escaped(name)).collect();
        let has_rules = !secrets.is_empty() || max_bytes.is_some();
        has_rules.then(|| Self { secrets, max_bytes: max_bytes.unwrap_or(usize::MAX) })
    }

    /// Applies the rules to the message, which begins at offset `message` of `head`, and to the fields. Overwrites
    /// `scratch`.
    pub(crate) fn apply(
        &self,
        head: &mut Vec<u8>,
        message: usize,
        fields: &mut Fields,
        scratch: &mut Fields,
    ) {
        if let Some(replaced) = self.replaced(b"message", head.get(message..).unwrap_or_default()) {
            head.truncate(message);
            head.extend_from_slice(&replaced);
        }
        if fields.iter().any(|field| self.replaced(field.key(), field.value()).is_some()) {
            scratch.clear();
            for field in fields.iter() {
                self.copy(&field, scratch);
            }
            std::mem::swap(fields, scratch);
        }
    }

    /// The replacement of a text outside of a line, if a rule for a field of its name applies.
    #[cfg(feature = "runs")]
    pub(crate) fn replaced_text(&self, name: &str, text: &str) -> Option<String> {
        let mut rendered = Vec::new();
        json::write_str(&mut rendered, text);
        // The text of an error has those of its sources in it.
        let name = if name == "error" && self.is_secret(b"error.chain") { "error.chain" } else { name };
        let replaced = self.replaced(&escaped(name), &rendered)?;
        // An empty text, and not the one that a rule is for.
        Some(json::read_str(&replaced).unwrap_or_default())
    }

    fn copy(&self, field: &Field<'_>, to: &mut Fields) {
        match self.replaced(field.key(), field.value()) {
            Some(value) => to.copy_with(field, &value),
            None => to.copy_with(field, field.value()),
        }
    }

    /// The replacement of a rendered value, if a rule applies.
    fn replaced(&self, key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        if self.is_secret(key) { Some(REDACTED.to_vec()) } else { cut(value, self.max_bytes) }
    }

    /// Whether a name is secret, or ends in a secret name after a dot: `user.password` is a password, and so is a
    /// renamed `field.password`. The sources of a secret error are secret as well.
    fn is_secret(&self, key: &[u8]) -> bool {
        let stem = key.strip_suffix(b".chain").unwrap_or(key);
        self.secrets.iter().any(|secret| is_named(key, secret) || is_named(stem, secret))
    }
}

fn escaped(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    json::write_escaped(&mut out, name.strip_prefix("r#").unwrap_or(name));
    out
}

fn is_named(key: &[u8], name: &[u8]) -> bool {
    let Some((front, end)) = key.len().checked_sub(name.len()).and_then(|at| key.split_at_checked(at)) else {
        return false;
    };
    end.eq_ignore_ascii_case(name) && front.last().is_none_or(|&last| last == b'.')
}

/// Cuts the text of a rendered string to `max_bytes` bytes and appends the number of missing bytes. Returns `None` if
/// the text is short enough, or if the value is not a string.
fn cut(value: &[u8], max_bytes: usize) -> Option<Vec<u8>> {
    let inside = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    // The rendered form is at least as long as the text.
    if inside.len() <= max_bytes {
        return None;
    }
    let (mut at, mut text, mut kept) = (0, 0, None);
    while at < inside.len() {
        let (written, meant) = first_character(&inside[at..]);
        if text + meant > max_bytes && kept.is_none() {
            kept = Some((at, text));
        }
        at += written;
        text += meant;
    }
    let (end, kept) = kept?;
    let mut out = value[..=end].to_vec();
    out.extend_from_slice(format!("…[truncated {} bytes]\"", text - kept).as_bytes());
    Some(out)
}

/// The length of the first character in the JSON string, and in the text.
fn first_character(rest: &[u8]) -> (usize, usize) {
    match *rest {
        [b'\\', b'u', b'0', b'0', b'0'..=b'7', ..] => (6, 1),
        [b'\\', b'u', b'0', b'0'..=b'7', ..] => (6, 2),
        // A high surrogate; its low surrogate follows.
        [b'\\', b'u', b'd', b'8' | b'9' | b'a' | b'b', ..] => (12, 4),
        [b'\\', b'u', ..] => (6, 3),
        [b'\\', ..] => (2, 1),
        [0xf0..=0xff, ..] => (4, 4),
        [0xe0..=0xef, ..] => (3, 3),
        [0xc0..=0xdf, ..] => (2, 2),
        _ => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Key;
    use super::*;

    fn rules(secrets: &[&str], max_bytes: Option<usize>) -> ValueRules {
        let secrets: Vec<_> = secrets.iter().map(|&name| name.to_owned()).collect();
        ValueRules::new(&secrets, max_bytes).unwrap()
    }

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        json::write_str(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    /// Cuts the text to `max_bytes` bytes and removes the quotes.
    fn shown(text: &str, max_bytes: usize) -> String {
        let json = json(text).into_bytes();
        let out = String::from_utf8(cut(&json, max_bytes).unwrap_or(json)).unwrap();
        out[1..out.len() - 1].to_owned()
    }

    #[test]
    fn a_text_is_cut_between_characters_and_notes_the_lost_bytes() {
        assert_eq!(shown("abcdef", 4), "abcd…[truncated 2 bytes]");
        assert_eq!(shown("abcd", 4), "abcd");
        assert_eq!(shown("äöü", 3), "ä…[truncated 4 bytes]");
        assert_eq!(shown("€", 2), "…[truncated 3 bytes]");
        assert_eq!(shown("🦀🦀", 7), "🦀…[truncated 4 bytes]");
    }

    #[cfg(feature = "runs")]
    #[test]
    fn an_error_is_replaced_as_its_field_is() {
        for secret in ["error", "Error", "error.chain", "chain"] {
            assert_eq!(
                rules(&[secret], None).replaced_text("error", "a\n\"b\"").as_deref(),
                Some("[redacted]"),
                "{secret}"
            );
        }
        assert_eq!(rules(&["password"], None).replaced_text("error", "a"), None);
        assert_eq!(
            rules(&[], Some(2)).replaced_text("error", "abc").as_deref(),
            Some("ab…[truncated 1 bytes]")
        );
    }

    #[test]
    fn redaction_compares_unescaped_text() {
        for text in [
            "\n\"\\\t",
            "\u{1}\u{7f}ab",
            "\u{85}\u{9f}",
            "\u{2028}\u{2029}",
            "\u{b}£€🦀",
            "\u{ad}\u{61c}\u{202e}\u{e0041}b",
        ] {
            assert_eq!(shown(text, text.len()), json(text).trim_matches('"'), "{text:?} is not cut");
            let left_out = text.chars().next_back().unwrap().len_utf8();
            let cut = shown(text, text.len() - 1);
            assert!(cut.ends_with(&format!("…[truncated {left_out} bytes]")), "{cut}");
        }
    }

    #[cfg(feature = "testing")]
    #[test]
    fn every_cut_text_is_a_json_string_that_keeps_the_beginning() {
        let text = "a\"\\\n\u{1}\u{85}\u{2028}é€🦀\u{7f}\u{ad}\u{61c}\u{e0041}z";
        for max_bytes in 0..text.len() {
            let cut: String = serde_json::from_str(&format!("\"{}\"", shown(text, max_bytes))).unwrap();
            let (front, rest) = cut.split_once('…').unwrap();
            assert!(text.starts_with(front) && front.len() <= max_bytes);
            assert_eq!(rest, format!("[truncated {} bytes]", text.len() - front.len()));
        }
    }

    #[test]
    fn only_strings_are_cut() {
        assert_eq!(cut(b"123456789", 4), None);
        assert_eq!(cut(b"true", 1), None);
    }

    #[test]
    fn a_secret_is_known_in_any_case_and_behind_a_dot() {
        let rules = rules(&["Password", "api key", "error"], None);
        for key in
            ["password", "PASSWORD", "user.password", "field.password", "api key", "error", "error.chain"]
        {
            assert!(rules.is_secret(key.as_bytes()), "{key}");
        }
        for key in ["passwords", "my_password", "password.length", "", "apikey", ".", "chain"] {
            assert!(!rules.is_secret(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn a_secret_with_characters_that_are_escaped_is_found() {
        assert!(rules(&["a\"\n"], None).is_secret(&escaped("A\"\n")));
    }

    #[test]
    fn the_message_is_the_field_message() {
        let (mut fields, mut scratch) = (Fields::default(), Fields::default());
        fields.add(Key::new("a"), |out| out.push(b'1'));
        let mut head = b"{\"event\":\"said\"".to_vec();
        rules(&["message"], None).apply(&mut head, 9, &mut fields, &mut scratch);
        assert_eq!(head, b"{\"event\":\"[redacted]\"");
        assert_eq!(fields.bytes(), b",\"a\":1");
    }

    #[test]
    fn fields_without_a_rule_keep_place_and_value() {
        let (mut fields, mut scratch) = (Fields::default(), Fields::default());
        fields.add(Key::new("a"), |out| out.extend_from_slice(b"\"1234567\""));
        fields.add(Key::new("token"), |out| out.push(b'2'));
        fields.add(Key::new("b"), |out| out.extend_from_slice(b"\"12345678\""));
        rules(&["token"], Some(7)).apply(&mut Vec::new(), 0, &mut fields, &mut scratch);
        let text = std::str::from_utf8(fields.bytes()).unwrap();
        assert_eq!(text, r#","a":"1234567","token":"[redacted]","b":"1234567…[truncated 1 bytes]""#);
        fields.add(Key::new("token"), |out| out.push(b'3'));
        assert!(fields.bytes().ends_with(br#","field.token":3"#), "the keys are no longer known");
    }
}
