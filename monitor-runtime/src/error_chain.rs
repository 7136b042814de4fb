//! An error and its sources as text, bounded: a chain may be a circle, and a `Display` may write without end.
//!
//! Everything here that walks a chain goes through [`sources`], and everything that formats an error through [`Bounded`].
//! A text that was cut says so at its end.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};

/// The most sources of an error that are shown.
pub(crate) const MOST_SOURCES: usize = 64;

/// The most bytes of an error's text, and of the texts of all its sources together. A line with both fits into the log's queue.
pub(crate) const MOST_BYTES: usize = 2 * 1_024 * 1_024;

/// The most bytes of what a span says of its error.
const MOST_STATUS_BYTES: usize = 64 * 1_024;

/// The most bytes of a field's value that is formatted: more than any queue takes.
pub(crate) const MOST_VALUE_BYTES: usize = 16 * 1_024 * 1_024;

/// The most bytes of a span's attribute that is formatted: one that is refused for its size takes its batch along.
pub(crate) const MOST_ATTRIBUTE_BYTES: usize = 1_024 * 1_024;

/// How deep errors may be formatted inside each other: a `Display` may make a tracked call that fails with the very error.
const DEEPEST: u8 = 4;

thread_local! {
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// The sources of an error, the first [`MOST_SOURCES`] of them.
fn sources<'e>(error: &'e (dyn Error + '_)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source()).take(MOST_SOURCES)
}

/// Whether an error has more sources than are shown.
fn has_more(error: &(dyn Error + '_)) -> bool {
    sources(error).nth(MOST_SOURCES - 1).is_some_and(|last| last.source().is_some())
}

/// Writes the text of an error alone.
pub(crate) fn write_message(out: &mut dyn fmt::Write, error: &dyn Error) {
    Bounded::new(out, MOST_BYTES).write_whole(error);
}

/// Writes the sources of an error, joined by `: `.
pub(crate) fn write_sources(out: &mut dyn fmt::Write, error: &dyn Error) {
    let mut bounded = Bounded::new(out, MOST_BYTES);
    for (at, source) in sources(error).enumerate() {
        if at > 0 {
            bounded.write_whole(&": ");
        }
        bounded.write_whole(source);
    }
    if has_more(error) {
        bounded.write_whole(&MORE_SOURCES);
    }
}

const MORE_SOURCES: &str = ": …[truncated after 64 sources]";
pub(crate) const MORE_BYTES: &str = "…[truncated]";
const TOO_DEEP: &str = "…[formatted inside of itself]";

/// An error as text, for its log line and its span.
#[derive(Debug, Default)]
pub(crate) struct ErrorText {
    /// Its own text.
    pub(crate) message: String,
    /// The texts of its sources, joined by `: `; `None` if it has none.
    pub(crate) sources: Option<String>,
    /// All of it, joined by `: `. A source that the text before it ends with is not said again.
    pub(crate) whole: String,
}

impl ErrorText {
    /// Of an error with its sources.
    pub(crate) fn of(error: &(dyn Error + '_)) -> Self {
        nested(|| {
            let message = text_of(error);
            let mut said = Self { whole: message.clone(), message, sources: None };
            for source in sources(error) {
                if !said.add(&text_of(source)) {
                    return said;
                }
            }
            if has_more(error) {
                said.whole.push_str(MORE_SOURCES);
                said.sources.get_or_insert_default().push_str(MORE_SOURCES);
            }
            said
        })
    }

    /// Of an error that a check gave: if its text panics, so does not who waits for the check.
    pub(crate) fn caught(error: &(dyn Error + '_)) -> Self {
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Self::of(error)));
        said.unwrap_or_else(|_| Self::plain("an error whose `Display` panics".to_owned()))
    }

    /// Of something without sources.
    pub(crate) fn of_text(shown: &dyn Display) -> Self {
        nested(|| Self::plain(text_of(shown)))
    }

    /// As much of it as a span says.
    pub(crate) fn status(&self) -> String {
        text_up_to(MOST_STATUS_BYTES, &self.whole)
    }

    fn plain(message: String) -> Self {
        Self { whole: message.clone(), message, sources: None }
    }

    /// Adds a source, and says whether there is room for more.
    fn add(&mut self, source: &str) -> bool {
        let sources = match &mut self.sources {
            Some(sources) => {
                sources.push_str(": ");
                sources
            }
            none => none.insert(String::new()),
        };
        let left = MOST_BYTES.saturating_sub(sources.len());
        let is_cut = source.len() > left;
        let (kept, mark) = if is_cut { (up_to(source, left), MORE_BYTES) } else { (source, "") };
        sources.push_str(kept);
        sources.push_str(mark);
        if is_cut || !ends_with(&self.whole, source) {
            self.whole.extend([": ", kept, mark]);
        }
        !is_cut
    }
}

/// Whether `outer` is the text `inner`, or has it at its end behind a colon.
pub(crate) fn ends_with(outer: &str, inner: &str) -> bool {
    let before = outer.strip_suffix(inner).filter(|_| !inner.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with(": "))
}

/// The text, as far as it goes: a `Display` that fails does not fail the call.
fn text_of(shown: &(impl Display + ?Sized)) -> String {
    text_up_to(MOST_BYTES, shown)
}

/// At most so many bytes of a text.
pub(crate) fn text_up_to(most: usize, shown: &(impl Display + ?Sized)) -> String {
    let mut text = String::new();
    Bounded::new(&mut text, most).write_whole(shown);
    text
}

/// Puts an error into words, unless that is going on too often on this thread already.
fn nested(say: impl FnOnce() -> ErrorText) -> ErrorText {
    /// Also when a `Display` panics.
    struct Left(u8);
    impl Drop for Left {
        fn drop(&mut self) {
            DEPTH.set(self.0);
        }
    }

    let left = Left(DEPTH.get());
    if left.0 >= DEEPEST {
        return ErrorText::plain(TOO_DEEP.to_owned());
    }
    DEPTH.set(left.0 + 1);
    say()
}

/// Takes so many bytes of a text and refuses the rest, which ends a formatter that would go on.
struct Bounded<'o> {
    out: &'o mut dyn fmt::Write,
    left: usize,
    is_cut: bool,
}

impl<'o> Bounded<'o> {
    fn new(out: &'o mut dyn fmt::Write, left: usize) -> Self {
        Self { out, left, is_cut: false }
    }

    /// Writes what there is room for, and the mark behind what was cut, once.
    fn write_whole(&mut self, shown: &(impl Display + ?Sized)) {
        if self.is_cut {
            return;
        }
        // A formatter that fails half-way has still said something.
        let _ = write!(self, "{shown}");
        if self.is_cut {
            let _ = self.out.write_str(MORE_BYTES);
        }
    }
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let kept = up_to(text, self.left);
        self.is_cut = kept.len() < text.len();
        self.left -= kept.len();
        self.out.write_str(kept)?;
        if self.is_cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// As much of a text as `most` bytes hold, between two characters.
fn up_to(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Formats one of our errors for `Debug`: the text for people, with the sources that it does not contain.
///
/// That is what `fn main() -> Result<(), Box<dyn Error>>`, `unwrap` and `expect` show.
pub(crate) fn debug(error: &(dyn Error + '_), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&ErrorText::of(error).whole)
}

/// `Debug` of our errors, which writes their text.
macro_rules! debug_as_text {
    ($error:ty) => {
        impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::error_chain::debug(self, f)
            }
        }
    };
}
pub(crate) use debug_as_text;

#[cfg(test)]
mod tests {
    use super::*;

    /// An error with so many sources.
    #[derive(Debug)]
    struct Chain(String, Option<Box<Chain>>);

    impl Display for Chain {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }

    impl Error for Chain {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn chain(texts: &[&str]) -> Chain {
        let (first, rest) = texts.split_first().unwrap();
        Chain((*first).to_owned(), (!rest.is_empty()).then(|| Box::new(chain(rest))))
    }

    #[test]
    fn an_error_is_the_same_whole_or_prefixed_not_by_shared_words() {
        assert!(ends_with("disk gone", "disk gone"));
        assert!(ends_with("search failed: disk gone", "disk gone"));
        assert!(!ends_with("config file not found: /etc/x", "not found"));
        assert!(!ends_with("page not found", "not found"));
        assert!(!ends_with("anything", ""));
    }

    #[test]
    fn a_source_that_the_text_ends_with_is_not_said_again() {
        let said = ErrorText::of(&chain(&["not saved", "io: disk gone", "disk gone"]));
        assert_eq!(said.message, "not saved");
        assert_eq!(said.sources.as_deref(), Some("io: disk gone: disk gone"));
        assert_eq!(said.whole, "not saved: io: disk gone");
    }

    #[test]
    fn a_chain_shows_its_first_sources_and_notes_further_ones() {
        let shown = |links: usize| ErrorText::of(&chain(&vec!["x"; links])).sources.unwrap();
        assert_eq!(shown(65), ["x"; 64].join(": "));
        assert_eq!(shown(66), ["x"; 64].join(": ") + MORE_SOURCES);
        assert!(MORE_SOURCES.contains(&MOST_SOURCES.to_string()));
    }

    #[test]
    fn the_texts_of_all_sources_together_are_cut_between_characters() {
        let long = "ä".repeat(MOST_BYTES / 4 + 1);
        let said = ErrorText::of(&chain(&[&long, &long, &long, "never reached"]));
        assert_eq!(said.message, long);
        let sources = said.sources.unwrap();
        assert!(sources.ends_with(&format!("ä{MORE_BYTES}")) && said.whole.ends_with(MORE_BYTES));
        assert!(sources.len() <= MOST_BYTES + MORE_BYTES.len());
    }
}
