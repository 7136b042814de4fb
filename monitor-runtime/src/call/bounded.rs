//! Texts of values, of which only so many bytes are kept.

use std::fmt::{self, Display, Write as _};

/// Formats a value, cut to at most this many bytes, of which there are three at least. Of a long value only the begin is
/// formatted.
pub(crate) fn bounded(value: impl Display, most: usize) -> Box<str> {
    let mut bounded = Bounded { text: String::new(), most, is_cut: false };
    // An error is either the cut or the value's own, after which the text so far is kept.
    let _ = write!(bounded, "{value}");
    let Bounded { mut text, is_cut, .. } = bounded;
    if is_cut {
        let end =
            (0..=most.saturating_sub("…".len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text.into()
}

struct Bounded {
    text: String,
    most: usize,
    is_cut: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.most - self.text.len();
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| part.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&part[..end]);
        self.is_cut = true;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_between_characters() {
        assert_eq!(&*bounded("12345678", 8), "12345678");
        assert_eq!(&*bounded(format_args!("{}{}", "1234", "56789"), 8), "12345…");
        assert_eq!(&*bounded("1234ä6789", 8), "1234…");
        assert_eq!(&*bounded("ääääää", 8), "ää…");
        assert_eq!(&*bounded("", 8), "");
    }
}
