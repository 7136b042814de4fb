//! What users have told of a run: tags, notes, and the marks of its calls.

use std::time::Duration;

use super::budget::Limits;
use super::text::ALLOCATION_BYTES;
use crate::call::Content;

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
    /// The texts of arguments and of the result that `record(…)` names.
    pub(crate) contents: Vec<Content>,
}

impl Marks {
    /// Keeps a content. A later one of the same name replaces it, as each item of a stream does.
    pub(super) fn record(&mut self, content: Content) {
        match self.contents.iter_mut().find(|kept| kept.name == content.name) {
            Some(kept) => *kept = content,
            None => self.contents.push(content),
        }
    }

    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let reason = self.reason.as_ref().map_or(0, |reason| reason.len() + ALLOCATION_BYTES);
        let texts = self.contents.iter().map(|content| content.text.len() + ALLOCATION_BYTES);
        let contents = self.contents.capacity() * size_of::<Content>() + texts.sum::<usize>();
        size_of::<Self>() + 2 * ALLOCATION_BYTES + reason + contents
    }
}

/// The bytes that the tags and notes of a run take, besides those of their lists' allocations.
pub(super) fn bytes_of(tags: &[Tag], notes: &[Note]) -> usize {
    let tags = tags.iter().map(|tag| size_of::<Tag>() + tag.value.len() + ALLOCATION_BYTES);
    let notes = notes.iter().map(|note| size_of::<Note>() + note.text.len() + ALLOCATION_BYTES);
    tags.sum::<usize>() + notes.sum::<usize>()
}
