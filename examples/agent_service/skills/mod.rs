//! What the agents can do.

mod compose;
mod rank;
mod search;

pub(crate) use compose::{Answer, Source, compose_answer};
pub(crate) use rank::rank_passages;
pub(crate) use search::search_notes;

use crate::text::{stem, words};

/// The terms that a text speaks of, in one form or another.
pub(crate) fn covered<'t>(terms: &'t [String], text: &str) -> Vec<&'t str> {
    let words: Vec<_> = words(text).collect();
    let speaks_of = |term: &str| words.iter().any(|word| stem(word) == stem(term));
    terms.iter().map(String::as_str).filter(|term| speaks_of(term)).collect()
}
