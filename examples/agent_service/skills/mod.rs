//! The agents' skills.

mod compose;
mod rank;
mod search;

pub(crate) use compose::{Answer, Source, compose_answer};
pub(crate) use rank::rank_passages;
pub(crate) use search::search_notes;

use crate::text::{stem, words};

/// The terms that a text does not contain in any of their forms.
pub(crate) fn missing(terms: &[String], text: &str) -> Vec<String> {
    let words: Vec<_> = words(text).collect();
    let speaks_of = |term: &str| words.iter().any(|word| stem(word) == stem(term));
    terms.iter().filter(|term| !speaks_of(term)).cloned().collect()
}
