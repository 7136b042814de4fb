//! How a body takes over its parameters without a change in meaning.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, FnArg, Pat, PatIdent, ReceiverKind, Signature};

use crate::analysis::parameters::{contains_borrow, has_no_user_drop, is_reference_or_primitive};
use crate::parse::function::Function;

/// Makes the body capture its parameters whole, in the order in which a function drops them: the last one first.
///
/// A closure captures what its body takes of a value, which may be less and not as `Send`, and drops it in the order of the
/// first mention. References and numbers are captured whole as it is, and nobody sees them dropped. A parameter that the body
/// does not mention stays out, so that the compiler still calls it unused, which it never does of `self`.
pub(crate) fn emit_captures(function: &Function, runtime: &TokenStream) -> TokenStream {
    find_owned_receiver(&function.signature)
        .into_iter()
        .chain(find_owned_bindings(&function.signature))
        .rev()
        .filter(|(name, _)| {
            name == "self" || is_underscored(name) || mentions_name(&function.body, &name.to_string())
        })
        .map(|(name, conditions)| {
            // A name that says it is unused is used by us alone.
            let allowed = is_underscored(&name).then(|| quote!(#[allow(clippy::used_underscore_binding)]));
            quote!(#(#conditions)* #allowed #runtime::captured(&#name);)
        })
        .collect()
}

/// Names each `_`, so that the body can take it over and drops it as a part of the call.
pub(crate) fn name_wildcards(signature: &mut Signature) {
    for (at, input) in signature.inputs.iter_mut().enumerate() {
        if let FnArg::Typed(parameter) = input
            && matches!(*parameter.pat, Pat::Wild(_))
            && !is_reference_or_primitive(&parameter.ty)
        {
            let name = Ident::new(&format!("_wildcard{at}"), Span::mixed_site());
            *parameter.pat = syn::parse_quote!(#name);
        }
    }
}

/// Gives a body that captures its parameters those that it may assign to: `mut text: &str`.
///
/// As a captured variable, one would keep the caller's lifetime in an async body, and lints take the assignment for one that is
/// meant to be seen outside. Bound again inside the body, it takes any lifetime that fits, and is the body's own.
/// Returns the signature without their `mut`, and the statements that bind them again.
pub(crate) fn rebind_mutable(signature: &Signature) -> (Signature, TokenStream) {
    let is_async = signature.asyncness.is_some();
    let mut signature = signature.clone();
    let mut statements = TokenStream::new();
    for input in &mut signature.inputs {
        if let FnArg::Typed(parameter) = input
            && (is_async && contains_borrow(&parameter.ty) || has_no_user_drop(&parameter.ty))
        {
            let conditions = parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
            let mut rebind = Rebind(quote!(#(#conditions)*), TokenStream::new());
            rebind.visit_pat_mut(&mut parameter.pat);
            statements.extend(rebind.1);
        }
    }
    (signature, statements)
}

/// Takes the `mut` from every binding, and binds it again behind the condition it has.
struct Rebind(TokenStream, TokenStream);

impl VisitMut for Rebind {
    fn visit_pat_ident_mut(&mut self, binding: &mut PatIdent) {
        if binding.by_ref.is_none()
            && let Some(mutability) = binding.mutability.take()
        {
            let (Self(condition, statements), name) = (self, &binding.ident);
            // By the user's own name, which lints would take for the user's own statement.
            let allowed = quote! {
                #[allow(clippy::collection_is_never_read, clippy::shadow_same, clippy::useless_let_if_seq)]
            };
            statements.extend(quote!(#condition #allowed let #mutability #name = #name;));
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

/// Every name the parameters bind to more than a plain value, with the `#[cfg]`s it depends on.
fn find_owned_bindings(signature: &Signature) -> Vec<(Ident, Vec<Attribute>)> {
    let mut names = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input
            && !is_reference_or_primitive(&parameter.ty)
        {
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
        // Each case binds the same names.
        Pat::Or(or) => or.cases.iter().take(1).for_each(|case| collect_names(case, names)),
        // Nothing else binds in a parameter.
        _ => {}
    }
}

fn is_underscored(name: &Ident) -> bool {
    name.to_string().starts_with('_')
}

/// Whether the name stands anywhere in the tokens, also as `{name}` in the text of a format macro.
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
