//! The item under an attribute.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Stmt, Visibility};

use super::function::Function;
use super::impl_block::ImplBlock;
use super::keyword::{find_gen_fn_error, is_keyword, is_qualifier};

/// An item as written, by the way it is expanded.
pub(crate) enum Item {
    Function(Box<Function>),
    Impl(Box<ImplBlock>),
    /// A function whose body ends in the middle of an expression. The compiler has reported that, and does not repeat it if the
    /// item comes back unchanged.
    Incomplete,
    /// A function whose signature does not parse: unfinished, or of a syntax newer than this crate.
    VerbatimFunction,
    /// An expression or a statement. An attribute on either is unstable.
    Expression,
}

impl Item {
    /// Parses the item.
    ///
    /// # Errors
    ///
    /// If it cannot be tracked, at the first token that shows it.
    pub(crate) fn parse(item: &TokenStream) -> syn::Result<Self> {
        if ImplBlock::starts_in.parse2(item.clone()).unwrap_or_default() {
            return syn::parse2(item.clone()).map(|block| Self::Impl(Box::new(block)));
        }
        match syn::parse2::<Function>(item.clone()) {
            Ok(function) if function.has_incomplete_body() => Ok(Self::Incomplete),
            Ok(function) => Ok(Self::Function(Box::new(function))),
            Err(_) => parse_untrackable.parse2(item.clone()),
        }
    }
}

/// Finds out why an item is neither a function with a body nor an impl block.
fn parse_untrackable(item: ParseStream<'_>) -> syn::Result<Item> {
    let all = item.fork().parse::<TokenStream>()?;
    let _ = item.call(Attribute::parse_outer);
    let _ = item.parse::<Visibility>();
    let other = item.error("expected a function or an impl block; put the attribute on one of these");
    let item = item.parse::<TokenStream>()?;
    if let Some(error) = find_gen_fn_error(&item) {
        return Err(error);
    }
    let is_foreign =
        item.clone().into_iter().take_while(is_qualifier).any(|token| is_keyword(&token, "safe"));
    let mut tokens = item.into_iter().skip_while(is_qualifier);
    match (tokens.next(), tokens.next(), tokens.last()) {
        (Some(word), Some(_), Some(TokenTree::Group(body)))
            if is_keyword(&word, "fn") && body.delimiter() == Delimiter::Brace =>
        {
            Ok(Item::VerbatimFunction)
        }
        (Some(word), Some(name), _) if is_keyword(&word, "fn") => {
            Err(syn::Error::new_spanned(name, bodiless_function_message(is_foreign)))
        }
        _ if is_expression(all) => Ok(Item::Expression),
        _ => Err(other),
    }
}

/// A function without a body is a trait's, or one in an `extern` block. Only the keyword `safe` proves the latter.
const fn bodiless_function_message(is_foreign: bool) -> &'static str {
    if is_foreign {
        "a foreign function cannot be tracked; put the attribute on a function that calls it"
    } else {
        "a function without a body cannot be tracked; put the attribute on its implementations, or, in an \
         `extern` block, on a function that calls it"
    }
}

fn is_expression(item: TokenStream) -> bool {
    if syn::parse2::<syn::Item>(item.clone()).is_ok() {
        return false;
    }
    syn::parse2::<syn::Expr>(item.clone()).is_ok()
        || matches!(syn::parse2(item), Ok(Stmt::Local(_) | Stmt::Expr(..) | Stmt::Macro(_)))
}
