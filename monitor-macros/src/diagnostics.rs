//! The errors of one attribute, collected by reference and reported at once.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The errors found so far, in the order of their discovery.
///
/// It is shared by `&`, so a check notes its error and goes on: one mistake never hides another.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    errors: RefCell<Vec<syn::Error>>,
}

impl Diagnostics {
    /// Notes an error at `token`, the smallest one that is wrong.
    pub(crate) fn error(&self, token: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(token, message));
    }

    pub(crate) fn push(&self, error: syn::Error) {
        self.errors.borrow_mut().push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// Turns each error into a `compile_error!` at its token.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors.into_inner().iter().map(syn::Error::to_compile_error).collect()
    }
}

/// Moves the tokens to `place`, where the compiler reports errors in them. They keep their hygiene.
pub(crate) fn locate_at(place: Span, tokens: impl ToTokens) -> TokenStream {
    let at_place = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    tokens.into_token_stream().into_iter().map(at_place).collect()
}

/// Finds the known name that is nearest to `given`, within two edits.
///
/// A name needs more letters than edits: as many edits as it has letters turn any word of its length into it.
pub(crate) fn find_nearest_name<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (edit_distance(given, name), name))
        .filter(|(edits, name)| *edits <= 2 && *edits < name.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// The Levenshtein distance, in bytes, computed in one row of the table.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_misses_are_suggested() {
        let known = ["id", "fields", "level", "log_errors"];
        assert_eq!(find_nearest_name("feilds", known.into_iter()), Some("fields"));
        assert_eq!(find_nearest_name("log_error", known.into_iter()), Some("log_errors"));
        assert_eq!(find_nearest_name("name", known.into_iter()), None);
        assert_eq!(find_nearest_name("xy", known.into_iter()), None);
    }
}
