//! What stays untracked cannot be built, unless the compiler refuses it anyway.
//!
//! An item that does not parse here comes from somebody who is still typing it, or has syntax that is newer than this crate. The
//! compiler has reported the first, and a second error at the same place would be noise. The second it accepts, and its calls
//! would be lost without a word. A constant in the body tells the two apart: the compiler evaluates it when it generates code for
//! the function, which it does only where it has found no error.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::parse::function::split_inner_attributes;

/// A statement that cannot be built, at the place of `what`.
fn emit_refusal(what: &TokenStream, message: &str) -> TokenStream {
    quote_spanned! {what.span()=>
        #[allow(clippy::assertions_on_constants)]
        let () = const { ::core::assert!(false, #message) };
    }
}

/// The function as written, refused in its body.
pub(crate) fn refuse_function(function: TokenStream) -> TokenStream {
    let refusal = emit_refusal(
        &function,
        "the attribute does not know the syntax of this function, so it cannot be tracked; \
         put the attribute on the functions that it calls",
    );
    let mut tokens: Vec<TokenTree> = function.into_iter().collect();
    match tokens.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
            let (inner_attributes, body_tokens) = split_inner_attributes(body.stream());
            let mut braces = Group::new(Delimiter::Brace, quote!(#inner_attributes #refusal #body_tokens));
            braces.set_span(body.span());
            quote!(#(#tokens)* #braces)
        }
        last => quote!(#(#tokens)* #last),
    }
}

/// The expression or statement as written, refused. The compiler has refused it already, unless it is asked to allow attributes
/// there.
pub(crate) fn refuse_expression(expression: &TokenStream) -> TokenStream {
    let refusal = emit_refusal(
        expression,
        "an expression cannot be tracked; put the attribute on a function or an impl block",
    );
    let is_statement = expression
        .clone()
        .into_iter()
        .last()
        .is_some_and(|last| matches!(last, TokenTree::Punct(end) if end.as_char() == ';'));
    if is_statement { quote!(#refusal #expression) } else { quote!({ #refusal #expression }) }
}
