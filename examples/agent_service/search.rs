//! A search in the notes.

use std::fmt;

/// A search in the notes: a passage has to contain all of the words, or any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    All(Vec<String>),
    Any(Vec<String>),
}

/// The search in the syntax that SQLite's FTS5 and PostgreSQL's `websearch_to_tsquery` share.
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (terms, between) = match self {
            Self::All(terms) => (terms, " "),
            Self::Any(terms) => (terms, " OR "),
        };
        for (index, term) in terms.iter().enumerate() {
            // Terms are letters and digits, so no quote can end early.
            write!(f, "{}\"{term}\"", if index == 0 { "" } else { between })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_read_it_as_words_and_or() {
        let terms = || vec!["and".to_owned(), "7".to_owned()];
        assert_eq!(Search::All(terms()).to_string(), r#""and" "7""#);
        assert_eq!(Search::Any(terms()).to_string(), r#""and" OR "7""#);
    }
}
