//! Leaves needless lifetimes out of emitted types, so that lints see whether the user's signature needs them.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{FnArg, GenericParam, Lifetime, Signature, Type};

/// Replaces by `'_` each lifetime in the type that the function need not name, since elision would give the same one.
///
/// Clippy takes a lifetime that is named in the body for one that is needed. The others keep their names, which the compiler shows
/// in its errors.
pub(crate) fn elide_lifetimes(signature: &Signature, declared: &Type) -> Type {
    let mut declared = declared.clone();
    let elidable = find_elidable(signature);
    // In `fn(&str) -> &str`, an elided lifetime is another one.
    if !elidable.is_empty() && !contains_signature(declared.to_token_stream()) {
        Elide(&elidable).visit_type_mut(&mut declared);
    }
    declared
}

struct Elide<'a>(&'a [Lifetime]);

impl VisitMut for Elide<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if self.0.contains(lifetime) {
            *lifetime = Lifetime::new("'_", lifetime.span());
        }
        visit_mut::visit_lifetime_mut(self, lifetime);
    }
}

/// Finds the lifetimes that elision would give the return type: that of `self`, or the only one in the parameters.
fn find_elidable(signature: &Signature) -> Vec<Lifetime> {
    let (generics, output) = (&signature.generics, &signature.output);
    if generics.where_clause.is_some() || output.to_token_stream().is_empty() {
        return Vec::new();
    }
    let of_inputs = signature.inputs.iter().map(|input| lifetime_names(input.to_token_stream()).len());
    let is_alone = of_inputs.sum::<usize>() == 1;
    let receiver = signature.receiver().map(|receiver| lifetime_names(receiver.to_token_stream()));
    generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Lifetime(parameter) if parameter.bounds.is_empty() => Some(&parameter.lifetime),
            _ => None,
        })
        .filter(|lifetime| {
            let name = lifetime.ident.to_string();
            let is_of_self = receiver.as_deref().is_some_and(|of_self| of_self == [name.clone()]);
            let others = signature.inputs.iter().filter(|input| !matches!(input, FnArg::Receiver(_)));
            let mut others = others.flat_map(|input| lifetime_names(input.to_token_stream()));
            if is_of_self {
                !others.any(|other| other == name)
            } else {
                is_alone && others.any(|other| other == name)
            }
        })
        .cloned()
        .collect()
}

/// The names of the lifetimes in the tokens. That of an elided `&` is empty.
fn lifetime_names(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => found.extend(lifetime_names(group.stream())),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                found.extend(tokens.next().map(|name| name.to_string()));
            }
            TokenTree::Punct(punct)
                if punct.as_char() == '&'
                    && !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'') =>
            {
                found.push(String::new());
            }
            _ => {}
        }
    }
    found
}

/// Whether the type has a signature in it, such as `fn(&str) -> &str` or `Fn(&str) -> &str`.
fn contains_signature(declared: TokenStream) -> bool {
    let mut before = None;
    declared.into_iter().any(|token| {
        let is_signature = match (&token, before.replace(token.clone())) {
            (TokenTree::Punct(close), Some(TokenTree::Punct(dash))) => {
                close.as_char() == '>' && dash.as_char() == '-'
            }
            (TokenTree::Group(group), Some(TokenTree::Ident(_))) if !group.stream().is_empty() => true,
            _ => false,
        };
        is_signature || matches!(token, TokenTree::Group(group) if contains_signature(group.stream()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned(signature: &str) -> String {
        let signature: Signature = syn::parse_str(signature).unwrap();
        let syn::ReturnType::Type(_, declared) = &signature.output else { panic!("returns nothing") };
        elide_lifetimes(&signature, declared).to_token_stream().to_string().replace(' ', "")
    }

    #[test]
    fn needless_lifetimes_are_elided() {
        assert_eq!(returned("fn f<'a>(text: &'a str) -> &'a str"), "&'_str");
        assert_eq!(returned("fn f<'a>(text: Name<'a>, number: u8) -> Option<Name<'a>>"), "Option<Name<'_>>");
        assert_eq!(returned("fn f<'a>(&'a self, other: &str) -> &'a str"), "&'_str");
    }

    #[test]
    fn needed_lifetimes_keep_their_names() {
        assert_eq!(returned("fn f<'a>(text: &'a str, other: &str) -> &'a str"), "&'astr");
        assert_eq!(returned("fn f<'a>(text: &'a str, other: &'a str) -> &'a str"), "&'astr");
        assert_eq!(returned("fn f<'a: 'static>(text: &'a str) -> &'a str"), "&'astr");
        assert_eq!(returned("fn f<'a>(text: &'a str) -> fn(&str) -> &'a str"), "fn(&str)->&'astr");
        assert_eq!(returned("fn f<'a>(&self, text: &'a str) -> &'a str"), "&'astr");
    }
}
