//! What users have told of a run: tags, notes, and the marks of its calls.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use super::budget::Limits;
use super::text::ALLOCATION_BYTES;

/// The maximum number of notes of a run.
pub(crate) const MOST_NOTES: usize = 100;

/// The maximum sizes of texts, in bytes.
pub(crate) const MOST_TAG_BYTES: usize = 128;
pub(crate) const MOST_NOTE_BYTES: usize = 256;

/// A tag of a run.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) key: &'static str,
    pub(crate) value: Box<str>,
}

/// A text on the timeline of a run, made by [`run::note`](super::note).
#[derive(Clone, Debug)]
pub struct Note {
    pub(super) node: u32,
    pub(super) at: Duration,
    pub(super) text: Box<str>,
}

impl Note {
    /// Returns the place of the call that made it among the [nodes](super::Run::nodes).
    pub fn node(&self) -> usize {
        self.node as usize
    }

    /// Returns the time from the begin of the run to the note.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// Returns the text, cut after 256 bytes.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The marks of a call that few calls have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// Further attempts that the user has told of, and the reason of the last one.
    pub(crate) retries: u32,
    pub(crate) reason: Option<Box<str>>,
    /// Calls of the run with the same arguments, this one included; 0 if there is no other.
    pub(crate) repeat: u32,
    /// The limits of its budget that the call has passed.
    pub(crate) passed: Limits,
    pub(crate) unverifiable: Limits,
}

impl Marks {
    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let reason = self.reason.as_ref().map_or(0, |reason| reason.len() + ALLOCATION_BYTES);
        size_of::<Self>() + ALLOCATION_BYTES + reason
    }
}

/// The bytes that the tags and notes of a run take, besides those of their lists' allocations.
pub(super) fn bytes_of(tags: &[Tag], notes: &[Note]) -> usize {
    let tags = tags.iter().map(|tag| size_of::<Tag>() + tag.value.len() + ALLOCATION_BYTES);
    let notes = notes.iter().map(|note| size_of::<Note>() + note.text.len() + ALLOCATION_BYTES);
    tags.sum::<usize>() + notes.sum::<usize>()
}

/// Formats a value, cut to at most this many bytes. Of a long value only the begin is formatted.
pub(super) fn bounded(value: impl Display, most: usize) -> Box<str> {
    let mut bounded = Bounded { text: String::new(), most, is_cut: false };
    // An error is either the cut or the value's own, after which the text so far is kept.
    let _ = write!(bounded, "{value}");
    let Bounded { mut text, is_cut, .. } = bounded;
    if is_cut {
        let end = (0..=most - "…".len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
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
