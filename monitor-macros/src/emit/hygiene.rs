//! The names of emitted variables.

use proc_macro2::{Ident, Span};

/// Makes an identifier that the user's code can neither see nor shadow.
pub(super) fn mixed_site_ident(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
