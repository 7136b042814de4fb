//! The keywords at the start of an item, read from its tokens.
//!
//! They are read without parsing the item, so they are found even if the rest of it does not parse.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Ident, Visibility};

pub(crate) fn is_keyword(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Whether the token can precede `fn`.
pub(crate) fn is_qualifier(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(_) => ["default", "const", "async", "gen", "unsafe", "safe", "extern"]
            .iter()
            .any(|word| is_keyword(token, word)),
        // The ABI of an `extern` function.
        TokenTree::Literal(_) => true,
        TokenTree::Group(_) | TokenTree::Punct(_) => false,
    }
}

/// Parses the keyword of an item, such as `impl`, after its attributes, visibility and qualifiers, and skips the rest of the item.
pub(crate) fn parse_item_keyword(item: ParseStream<'_>) -> syn::Result<Ident> {
    item.call(Attribute::parse_outer)?;
    item.parse::<Visibility>()?;
    loop {
        let word = item.call(Ident::parse_any)?;
        if !["default", "const", "unsafe"].iter().any(|qualifier| word == qualifier) {
            item.parse::<TokenStream>()?;
            return Ok(word);
        }
    }
}

/// Finds the `gen` of a `gen fn`, and gives the error at that word.
pub(crate) fn find_gen_fn_error(item: &TokenStream) -> Option<syn::Error> {
    let mut qualifiers = item.clone().into_iter().take_while(is_qualifier);
    qualifiers.find(|token| is_keyword(token, "gen")).map(|word| {
        syn::Error::new_spanned(
            word,
            "a `gen fn` cannot be tracked; put the attribute on a function that consumes it, or, in a tracked \
             impl block, leave the method out with `#[track(skip)]`",
        )
    })
}
