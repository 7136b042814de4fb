//! Emits code that cannot be built, for an item that cannot be tracked and does not parse.
//!
//! Such an item is unfinished, or its syntax is newer than this crate. The compiler reports an unfinished one, where a second error
//! would be noise. It accepts the newer one, whose calls would then be lost silently. A `const` block that panics fits both: the
//! compiler evaluates it when it generates code for the function, which it does only if it has found no other error.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::parse::function::split_inner_attributes;

/// Emits a statement that cannot be built, at the place of `what`.
fn emit_refusal(what: &TokenStream, message: &str) -> TokenStream {
    quote_spanned! {what.span()=>
        #[allow(clippy::assertions_on_constants)]
        let () = const { ::core::assert!(false, #message) };
    }
}

/// Emits the function as written, with the refusal in its body.
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

/// Emits the expression or statement as written, with the refusal before it. The compiler refuses the attribute itself there,
/// unless an unstable feature allows it.
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
