//! What stays untracked cannot be built, unless the compiler refuses it anyway.
//!
//! An item that does not parse here comes from somebody who is still typing it, or has syntax that is newer than this crate. The
//! compiler has reported the first, and a second error at the same place would be noise. The second it accepts, and its calls
//! would be lost without a word. A constant in the body tells the two apart: the compiler evaluates it when it generates code for
//! the function, which it does only where it has found no error.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::function::split_inner_attributes;

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
        "the syntax of this function is unknown to the attribute, so it cannot be tracked; \
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

#[cfg(all(test, not(feature = "off")))]
mod tests {
    use crate::expand::expand_attribute;
    use crate::kind::Kind;

    fn emitted(item: &str) -> String {
        expand_attribute(Kind::Skill, proc_macro2::TokenStream::new(), item.parse().unwrap()).to_string()
    }

    #[test]
    fn syntax_that_is_unknown_here_is_refused_and_never_given_back_silently() {
        for item in [
            "fn later(a: impl for<'a> async Fn(&'a u8)) { #![allow(unused)] }",
            "impl Tool { fn later(a: impl for<'a> async Fn(&'a u8)) {} fn now(&self) {} }",
            "impl newer Tool { fn call(&self) {} }",
            "|number: u32| number",
            "let number = 1;",
        ] {
            assert!(emitted(item).contains("cannot be tracked"), "{item}");
        }
        assert!(emitted("impl Tool { gen fn all() -> u8 {} fn behind() {} }").contains("compile_error"));
        assert!(emitted("gen fn all() -> u8 {}").contains("compile_error"));
    }

    #[test]
    fn a_method_behind_one_that_does_not_parse_is_tracked() {
        let block = "impl Tool { #[track(skip)] gen fn all() -> Grid<{ N }> {} fn behind() {} }";
        assert!(emitted(block).contains("Tool::behind"));
        let block = "impl Tool { fn later(a: impl for<'a> async Fn()) -> Grid<{ N }> {} fn behind() {} }";
        assert!(emitted(block).contains("Tool::behind"));
    }

    #[test]
    fn an_unstable_const_impl_is_tracked() {
        assert!(emitted("const impl Shown for Tool { fn shown(&self) {} }").contains("Tool::shown"));
    }
}
