//! What an attribute stands on.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};

use crate::block::Block;
use crate::function::Function;

/// An item as written.
pub(crate) enum Item {
    Function(Box<Function>),
    Block(Box<Block>),
    /// One that is still being typed. The compiler has said so already; given back as it is, it is not said again elsewhere.
    Unfinished,
}

impl Item {
    /// Tells what it is.
    ///
    /// # Errors
    ///
    /// When it is nothing that can be tracked, at its first telling token.
    pub(crate) fn parse(item: &TokenStream) -> syn::Result<Self> {
        if Block::is_ahead(item) {
            let block = syn::parse2(item.clone()).map(|block| Self::Block(Box::new(block)));
            return Ok(block.unwrap_or(Self::Unfinished));
        }
        match syn::parse2::<Function>(item.clone()) {
            Ok(function) if function.is_cut_short() => Ok(Self::Unfinished),
            Ok(function) => Ok(Self::Function(Box::new(function))),
            Err(_) => not_trackable.parse2(item.clone()),
        }
    }
}

/// An item that is neither a function with a body nor an impl block.
fn not_trackable(item: ParseStream<'_>) -> syn::Result<Item> {
    let _ = item.call(syn::Attribute::parse_outer);
    let _ = item.parse::<syn::Visibility>();
    let other = item.error("expected a function or an impl block; put the attribute on one of these");
    let mut tokens = item.parse::<TokenStream>()?.into_iter().skip_while(is_qualifier);
    match (tokens.next(), tokens.next(), tokens.last()) {
        (Some(TokenTree::Ident(word)), Some(_), Some(TokenTree::Group(body)))
            if word == "fn" && body.delimiter() == Delimiter::Brace =>
        {
            Ok(Item::Unfinished)
        }
        (Some(TokenTree::Ident(word)), Some(name), _) if word == "fn" => Err(syn::Error::new_spanned(
            name,
            "a function without a body cannot be tracked; put the attribute on its implementations",
        )),
        _ => Err(other),
    }
}

/// Whether the token may stand before `fn`.
fn is_qualifier(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(word) => ["default", "const", "async", "unsafe", "safe", "extern"]
            .iter()
            .any(|qualifier| word == qualifier),
        // An ABI.
        TokenTree::Literal(_) => true,
        TokenTree::Group(_) | TokenTree::Punct(_) => false,
    }
}
