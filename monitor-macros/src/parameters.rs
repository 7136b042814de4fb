//! What a function's parameters bind, and how its body takes them over without a change in meaning.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, FnArg, Pat, Signature};

use crate::function::Function;

/// Makes the body capture its parameters in the order in which a function drops them: the last one first.
///
/// A closure drops what it captured in the order of the first mention. A parameter that the body does not mention stays
/// out, so that the compiler still calls it unused.
pub(crate) fn captured_in_order(function: &Function, runtime: &TokenStream) -> TokenStream {
    let mentioned: Vec<TokenStream> = bindings(&function.signature)
        .into_iter()
        .rev()
        .filter(|(name, _)| name.to_string().starts_with('_') || mentions(&function.body, name))
        .map(|(name, conditions)| quote!(#(#conditions)* #runtime::private::captured(&#name);))
        .collect();
    // One has no order.
    if mentioned.len() < 2 { TokenStream::new() } else { mentioned.into_iter().collect() }
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
