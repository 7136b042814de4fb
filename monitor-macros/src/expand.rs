//! Expands one attribute: parses it and its item, and emits the tokens that take the item's place.

use proc_macro2::TokenStream;
use quote::quote;

use crate::analysis::spec::Spec;
use crate::diagnostics::Diagnostics;
use crate::emit::function::emit_function;
use crate::emit::impl_block::{emit_impl_block, emit_untracked_impl_block};
use crate::emit::refusal::{refuse_expression, refuse_function};
use crate::kind::Kind;
use crate::parse::grammar::parse_options;
use crate::parse::item::Item;

/// Expands one attribute.
///
/// With a mistake, the item comes back as written, followed by the errors: its callers still find it, and do not add errors of
/// their own.
pub(crate) fn expand_attribute(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Diagnostics::default();
    let options = parse_options(kind, arguments, &errors);
    let (tracked, untouched) = match Item::parse(&item) {
        Ok(Item::Incomplete) => (item.clone(), item),
        Ok(Item::VerbatimFunction) => (refuse_function(item.clone()), item),
        // An error after an expression would be parsed as a part of it, so those of the arguments are left out.
        Ok(Item::Expression) if cfg!(feature = "off") => return item,
        Ok(Item::Expression) => return refuse_expression(&item),
        Ok(Item::Function(function)) => {
            let spec = Spec::new(kind, &options, &function, None, &errors);
            (emit_function(&spec, &function), item)
        }
        Ok(Item::Impl(block)) => {
            let tracked = emit_impl_block(&block, kind, &options, &errors);
            (tracked, emit_untracked_impl_block(&block))
        }
        Err(error) => {
            errors.push(error);
            (TokenStream::new(), item)
        }
    };
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        return quote!(#untouched #errors);
    }
    if cfg!(feature = "off") { untouched } else { tracked }
}

#[cfg(all(test, not(feature = "off")))]
mod tests {
    use super::*;

    fn emitted(item: &str) -> String {
        expand_attribute(Kind::Skill, proc_macro2::TokenStream::new(), item.parse().unwrap()).to_string()
    }

    #[test]
    fn unknown_syntax_is_refused() {
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
    fn methods_after_one_that_does_not_parse_are_tracked() {
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
