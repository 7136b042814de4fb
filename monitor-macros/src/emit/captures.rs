//! Lets an emitted body own its parameters as the function does: whole, and dropped in the same order.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, FnArg, Pat, PatIdent, ReceiverKind, Signature};

use super::hygiene::mixed_site_ident;
use crate::analysis::parameters::{contains_borrow, has_no_user_drop, is_reference_or_primitive};
use crate::parse::function::Function;

/// Emits a mention of each parameter at the start of the body, the last one first.
///
/// A closure captures only the fields that its body uses, which may not be `Send` although the value is. It drops them in the order
/// of their first mention, while a function drops its parameters last to first. A mention captures the whole value, in the right
/// order. References and primitives need none. A parameter that the body does not use gets none, so that the compiler still reports
/// it as unused, which it never does for `self`.
pub(crate) fn emit_captures(function: &Function, runtime: &TokenStream) -> TokenStream {
    find_owned_receiver(&function.signature)
        .into_iter()
        .chain(find_owned_bindings(&function.signature))
        .rev()
        .filter(|(name, _)| {
            name == "self" || is_underscored(name) || mentions_name(&function.body, &name.to_string())
        })
        .map(|(name, conditions)| {
            // `_name` tells the user's lints that it is unused: only emitted code uses it.
            let allowed = is_underscored(&name).then(|| quote!(#[allow(clippy::used_underscore_binding)]));
            quote!(#(#conditions)* #allowed #runtime::captured(&#name);)
        })
        .collect()
}

/// Names each `_` parameter, so that the body can own it and its drop is a part of the call.
pub(crate) fn name_wildcards(signature: &mut Signature) {
    for (at, input) in signature.inputs.iter_mut().enumerate() {
        let FnArg::Typed(parameter) = input else { continue };
        if matches!(*parameter.pat, Pat::Wild(_)) && !is_reference_or_primitive(&parameter.ty) {
            let name = mixed_site_ident(&format!("_wildcard{at}"));
            *parameter.pat = syn::parse_quote!(#name);
        }
    }
}

/// Moves the `mut` of parameters such as `mut text: &str` into the body: returns the signature without it, and the statements that
/// bind them again.
///
/// A captured `mut` variable keeps the caller's lifetime in an `async` body, and lints take an assignment to it for one that is
/// meant to be seen outside. A variable that the body binds takes any lifetime that fits, and is the body's own.
pub(crate) fn rebind_mutable(signature: &Signature) -> (Signature, TokenStream) {
    let is_async = signature.asyncness.is_some();
    let mut signature = signature.clone();
    let mut statements = TokenStream::new();
    for input in &mut signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        if is_async && contains_borrow(&parameter.ty) || has_no_user_drop(&parameter.ty) {
            let conditions = parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
            let conditions = quote!(#(#conditions)*);
            let mut rebind = Rebind { conditions, statements: TokenStream::new() };
            rebind.visit_pat_mut(&mut parameter.pat);
            statements.extend(rebind.statements);
        }
    }
    (signature, statements)
}

/// Takes the `mut` from each binding of a pattern, and collects the statements that bind it again, under the parameter's `#[cfg]`s.
struct Rebind {
    conditions: TokenStream,
    statements: TokenStream,
}

impl VisitMut for Rebind {
    fn visit_pat_ident_mut(&mut self, binding: &mut PatIdent) {
        let mutability = if binding.by_ref.is_none() { binding.mutability.take() } else { None };
        if let Some(mutability) = mutability {
            let (Self { conditions, statements }, name) = (self, &binding.ident);
            // The statement has the user's name, so lints would take it for the user's.
            let allowed = quote! {
                #[allow(clippy::collection_is_never_read, clippy::shadow_same, clippy::useless_let_if_seq)]
            };
            statements.extend(quote!(#conditions #allowed let #mutability #name = #name;));
        } else {
            visit_mut::visit_pat_ident_mut(self, binding);
        }
    }
}

fn find_owned_receiver(signature: &Signature) -> Option<(Ident, Vec<Attribute>)> {
    let receiver = signature.receiver()?;
    let is_owned = match &receiver.kind {
        ReceiverKind::Value => true,
        ReceiverKind::Typed(_, declared) => !is_reference_or_primitive(declared),
        _ => false,
    };
    is_owned.then(|| (receiver.self_token.into(), Vec::new()))
}

/// The names that the parameters bind to neither a reference nor a primitive, with the `#[cfg]`s of their parameters.
fn find_owned_bindings(signature: &Signature) -> Vec<(Ident, Vec<Attribute>)> {
    let mut names = Vec::new();
    for input in &signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        if !is_reference_or_primitive(&parameter.ty) {
            let mut found = Vec::new();
            collect_names(&parameter.pat, &mut found);
            let conditions: Vec<_> = parameter
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("cfg"))
                .cloned()
                .collect();
            names.extend(found.into_iter().map(|name| (name, conditions.clone())));
        }
    }
    names
}

fn collect_names(pattern: &Pat, names: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(binding) => {
            names.push(binding.ident.clone());
            if let Some((_, inner)) = &binding.subpat {
                collect_names(inner, names);
            }
        }
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|element| collect_names(element, names)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|element| collect_names(element, names)),
        Pat::Slice(slice) => slice.elems.iter().for_each(|element| collect_names(element, names)),
        Pat::Struct(fields) => fields.fields.iter().for_each(|field| collect_names(&field.pat, names)),
        Pat::Reference(reference) => collect_names(&reference.pat, names),
        Pat::Paren(inner) => collect_names(&inner.pat, names),
        Pat::Type(typed) => collect_names(&typed.pat, names),
        // Every case binds the same names.
        Pat::Or(or) => or.cases.iter().take(1).for_each(|case| collect_names(case, names)),
        // No other pattern of a parameter binds a name.
        _ => {}
    }
}

fn is_underscored(name: &Ident) -> bool {
    name.to_string().starts_with('_')
}

/// Whether the tokens have the name in them, or a format string captures it: `{name}`, `{name:?}`.
fn mentions_name(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions_name(&group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Literal(literal) => is_inline_format_argument(&literal.to_string(), name),
        TokenTree::Punct(_) => false,
    })
}

fn is_inline_format_argument(text: &str, name: &str) -> bool {
    text.split('{')
        .skip(1)
        .any(|piece| piece.strip_prefix(name).is_some_and(|rest| rest.starts_with(['}', ':'])))
}
