//! What a function's parameters bind, and how its body takes them over without a change in meaning.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Attribute, FnArg, Pat, PatIdent, Signature, Type};

use crate::function::Function;

/// Makes the body capture its parameters in the order in which a function drops them: the last one first.
///
/// A closure drops what it captured in the order of the first mention. A parameter that the body does not mention stays
/// out, so that the compiler still calls it unused.
pub(crate) fn captured_in_order(function: &Function, runtime: &TokenStream) -> TokenStream {
    let mentioned: Vec<TokenStream> = bindings(&function.signature)
        .into_iter()
        .rev()
        .filter(|(name, _)| is_underscored(name) || mentions(&function.body, name))
        .map(|(name, conditions)| {
            // A name that says it is unused is used by us alone.
            let allowed = is_underscored(&name).then(|| quote!(#[allow(clippy::used_underscore_binding)]));
            quote!(#(#conditions)* #allowed #runtime::private::captured(&#name);)
        })
        .collect();
    // One has no order.
    if mentioned.len() < 2 { TokenStream::new() } else { mentioned.into_iter().collect() }
}

fn is_underscored(name: &Ident) -> bool {
    name.to_string().starts_with('_')
}

/// Gives the parameters that an async body may assign a borrow of its own to: `mut text: &str`.
///
/// As a captured variable it would keep the caller's lifetime; bound again inside the body, it takes any that fits.
/// Returns the signature without their `mut`, and the statements that bind them again.
pub(crate) fn rebound(signature: &Signature) -> (Signature, TokenStream) {
    let mut signature = signature.clone();
    let mut statements = TokenStream::new();
    for input in &mut signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        let borrows = borrows(&parameter.ty);
        let conditions = parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        match &mut *parameter.pat {
            Pat::Ident(PatIdent { by_ref: None, mutability, ident, subpat: None, .. }) if borrows => {
                if let Some(mutability) = mutability.take() {
                    statements.extend(quote!(#(#conditions)* let #mutability #ident = #ident;));
                }
            }
            _ => {}
        }
    }
    (signature, statements)
}

/// Whether a reference or a lifetime stands in the type.
fn borrows(declared: &Type) -> bool {
    fn any(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
            TokenTree::Group(group) => any(group.stream()),
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        })
    }
    any(declared.to_token_stream())
}

/// Every name the parameters bind, with the `#[cfg]`s it depends on.
fn bindings(signature: &Signature) -> Vec<(Ident, Vec<Attribute>)> {
    let mut names = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input {
            let mut found = Vec::new();
            collect(&parameter.pat, &mut found);
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

fn collect(pattern: &Pat, names: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(binding) => {
            names.push(binding.ident.clone());
            if let Some((_, inner)) = &binding.subpat {
                collect(inner, names);
            }
        }
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|element| collect(element, names)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|element| collect(element, names)),
        Pat::Slice(slice) => slice.elems.iter().for_each(|element| collect(element, names)),
        Pat::Struct(fields) => fields.fields.iter().for_each(|field| collect(&field.pat, names)),
        Pat::Reference(reference) => collect(&reference.pat, names),
        Pat::Paren(inner) => collect(&inner.pat, names),
        Pat::Type(typed) => collect(&typed.pat, names),
        // Nothing else binds in a parameter.
        _ => {}
    }
}

/// Whether the name stands anywhere in the tokens.
fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(&group.stream(), name),
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
