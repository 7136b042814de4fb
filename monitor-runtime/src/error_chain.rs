//! The text of an error and its sources, bounded: a chain may be a cycle, and a `Display` may write without end.
//!
//! All code here walks a chain by [`sources`], and formats an error by [`Bounded`]. A text that was cut ends with a
//! note.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};

/// The maximum number of sources shown.
pub(crate) const MOST_SOURCES: usize = 64;

/// The maximum size in bytes of an error's text, and of the texts of all its sources together. A line with both fits
/// into the log's queue.
pub(crate) const MOST_BYTES: usize = 2 * 1_024 * 1_024;

/// The maximum size in bytes of the error on a span.
pub(crate) const MOST_STATUS_BYTES: usize = 64 * 1_024;

/// The maximum size in bytes of a formatted field, more than any queue accepts.
pub(crate) const MOST_VALUE_BYTES: usize = 16 * 1_024 * 1_024;

/// The maximum size in bytes of a formatted span attribute. A span that is refused for its size would take its batch
/// with it.
pub(crate) const MOST_ATTRIBUTE_BYTES: usize = 1_024 * 1_024;

/// The maximum nesting of formatted errors: a `Display` may make a tracked call that fails with the same error.
const DEEPEST: u8 = 4;

thread_local! {
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// The message of a panic, if it has one.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

/// The sources of an error, at most [`MOST_SOURCES`].
fn sources<'e>(error: &'e (dyn Error + '_)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source()).take(MOST_SOURCES)
}

/// Whether an error has more sources than are shown.
fn has_more(error: &(dyn Error + '_)) -> bool {
    sources(error).nth(MOST_SOURCES - 1).is_some_and(|last| last.source().is_some())
}

/// Writes the text of an error, without its sources.
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

/// The text of an error, for its log line and its span.
#[derive(Debug, Default)]
pub(crate) struct ErrorText {
    /// The error's own text.
    pub(crate) message: String,
    /// The texts of its sources, joined by `: `; `None` if it has none.
    pub(crate) sources: Option<String>,
    /// Error and sources, joined by `: `. A source is left out if the text before it already ends with it.
    pub(crate) whole: String,
}

impl ErrorText {
    /// Formats an error with its sources.
    pub(crate) fn of(error: &(dyn Error + '_)) -> Self {
        Self::up_to(MOST_BYTES, error)
    }

    /// Formats an error, and its sources, up to this many bytes each.
    pub(crate) fn up_to(most: usize, error: &(dyn Error + '_)) -> Self {
        nested(|| {
            let message = text_up_to(most, error);
            let mut said = Self { whole: message.clone(), message, sources: None };
            for source in sources(error) {
                if !said.add(&text_up_to(most, source), most) {
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

    /// Formats the error of a check. A panic in its `Display` does not reach the supervisor.
    pub(crate) fn caught(error: &(dyn Error + '_)) -> Self {
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Self::of(error)));
        said.unwrap_or_else(|_| Self::plain("an error whose `Display` panics".to_owned()))
    }

    /// Formats a value without sources, up to this many bytes.
    pub(crate) fn of_text(most: usize, shown: &dyn Display) -> Self {
        nested(|| Self::plain(text_up_to(most, shown)))
    }

    /// The text for a span, cut to its maximum.
    pub(crate) fn status(&self) -> String {
        text_up_to(MOST_STATUS_BYTES, &self.whole)
    }

    fn plain(message: String) -> Self {
        Self { whole: message.clone(), message, sources: None }
    }

    /// Adds a source, if all of them have at most this many bytes. Returns whether there is room for more.
    fn add(&mut self, source: &str, most: usize) -> bool {
        let sources = match &mut self.sources {
            Some(sources) => {
                sources.push_str(": ");
                sources
            }
            none => none.insert(String::new()),
        };
        let left = most.saturating_sub(sources.len());
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

/// The text of a logged error, by which the same error is recognized in an outer call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedText {
    whole: String,
    /// The length of the error's own message in bytes, with which `whole` begins; its sources follow.
    message: usize,
}

impl LoggedText {
    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.whole.len()
    }
}

impl ErrorText {
    /// The text by which the error is recognized later.
    pub(crate) fn logged(&self) -> LoggedText {
        LoggedText { whole: self.whole.clone(), message: self.message.len() }
    }

    /// Whether the error is the logged one: passed on, wrapped, or converted into an error that quotes it.
    ///
    /// Its text, sources included, has to quote the whole logged text, or to end with a quotation of the message alone.
    /// The latter covers a conversion that formats the error (`error.to_string()`) and drops its sources. A quotation
    /// is in brackets or quotation marks, or it begins at the text's start or after a colon and ends at the text's end
    /// or before a closing bracket. Mere words do not count: neither "page not found" nor "not found: /etc/x" quotes
    /// "not found".
    pub(crate) fn repeats(&self, logged: &LoggedText) -> bool {
        let message = &logged.whole[..logged.message];
        quotes(&self.whole, &logged.whole).next().is_some()
            || quotes(&self.whole, message).any(|behind| behind.chars().all(is_closing))
    }
}

/// The rest of `outer` after each place where it quotes `inner`.
fn quotes<'o>(outer: &'o str, inner: &'o str) -> impl Iterator<Item = &'o str> {
    let places = outer.match_indices(inner).filter(|_| !inner.is_empty());
    places.filter_map(move |(at, _)| {
        let (before, behind) = (&outer[..at], &outer[at + inner.len()..]);
        let closing = before.chars().next_back().and_then(closing);
        let is_quoted = match closing {
            Some(closing) => behind.starts_with(closing),
            None if before.is_empty() || before.ends_with(": ") => {
                behind.is_empty() || behind.starts_with([')', ']', '}'])
            }
            None => false,
        };
        is_quoted.then_some(behind)
    })
}

/// The character that ends a quotation begun with `opening`.
fn closing(opening: char) -> Option<char> {
    Some(match opening {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '"' | '\'' | '`' => opening,
        _ => return None,
    })
}

fn is_closing(character: char) -> bool {
    matches!(character, ')' | ']' | '}' | '"' | '\'' | '`')
}

/// Whether `outer` equals `inner`, or ends with it after a colon.
fn ends_with(outer: &str, inner: &str) -> bool {
    let before = outer.strip_suffix(inner).filter(|_| !inner.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with(": "))
}

/// Formats at most `most` bytes. If the `Display` fails, the output until then is kept.
pub(crate) fn text_up_to(most: usize, shown: &(impl Display + ?Sized)) -> String {
    let mut text = String::new();
    Bounded::new(&mut text, most).write_whole(shown);
    text
}

/// Formats an error, unless too many are already being formatted inside each other on this thread.
fn nested(say: impl FnOnce() -> ErrorText) -> ErrorText {
    /// Restores the depth even if a `Display` panics.
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

/// Accepts a limited number of bytes and refuses the rest, which stops a formatter that writes without end.
struct Bounded<'o> {
    out: &'o mut dyn fmt::Write,
    left: usize,
    is_cut: bool,
}

impl<'o> Bounded<'o> {
    fn new(out: &'o mut dyn fmt::Write, left: usize) -> Self {
        Self { out, left, is_cut: false }
    }

    /// Writes as much as there is room for, and once a note if it was cut.
    fn write_whole(&mut self, shown: &(impl Display + ?Sized)) {
        if self.is_cut {
            return;
        }
        // If a formatter fails half-way, its output until then is kept.
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

/// Cuts a text to at most `most` bytes at a character boundary.
fn up_to(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Formats one of our errors for `Debug`: its message, and the sources that the message does not contain.
///
/// `fn main() -> Result<(), Box<dyn Error>>`, `unwrap` and `expect` show this text.
pub(crate) fn debug(error: &(dyn Error + '_), f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&ErrorText::of(error).whole)
}

/// Implements `Debug` for one of our errors by its text.
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

    /// An error with that many sources.
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

    fn repeats(outer: &[&str], inner: &[&str]) -> bool {
        ErrorText::of(&chain(outer)).repeats(&ErrorText::of(&chain(inner)).logged())
    }

    #[test]
    fn an_error_that_quotes_the_logged_one_is_the_same() {
        for outer in [
            &["disk gone"][..],
            &["search: disk gone"],
            &["not saved", "disk gone"],
            &["not saved", "io: disk gone", "disk gone"],
            &["saving (disk gone) failed"],
            &["saving (io: disk gone) failed"],
            &["saving failed: `disk gone`"],
            &["the store answered \"disk gone\""],
            &["not saved [disk gone]", "no room"],
        ] {
            assert!(repeats(outer, &["disk gone"]), "{outer:?}");
        }
        // Formatted, so that its sources are lost.
        for outer in [&["query failed"][..], &["search: query failed"], &["search (query failed)"]] {
            assert!(repeats(outer, &["query failed", "disk gone"]), "{outer:?}");
        }
        assert!(repeats(&["a (b: c): d"], &["b", "c"]));
    }

    #[test]
    fn an_error_that_shares_words_with_the_logged_one_is_another() {
        for outer in [
            &["no answer"][..],
            &["page not found"],
            &["config file not found: /etc/x"],
            &["not found at all"],
            &["not foundry"],
            &["cause:not found"],
            &["not found; no other"],
            &["not found: /etc/x"],
            &["not found's cause"],
            &["(not found"],
        ] {
            assert!(!repeats(outer, &["not found"]), "{outer:?}");
        }
        // The same message with another source, or another message with the same source.
        assert!(!repeats(&["query failed", "timeout"], &["query failed", "disk gone"]));
        assert!(!repeats(&["search: query failed", "timeout"], &["query failed", "disk gone"]));
        assert!(!repeats(&["cache lost", "disk gone"], &["query failed", "disk gone"]));
        assert!(!repeats(&["anything"], &[""]));
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
