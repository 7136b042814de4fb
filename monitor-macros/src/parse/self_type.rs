//! The name of an impl block's type. The ids of its methods begin with it, so it is a part of metric labels and has to stay stable.

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{ItemImpl, Path, Type, TypeParamBound};

/// The name of the type without path and generics. A blanket impl has the name of its trait, since its type has none.
pub(crate) fn self_type_name(block: &ItemImpl) -> String {
    let blanket = block.trait_.as_ref().filter(|_| is_blanket(block));
    blanket.map_or_else(|| type_name(&block.self_ty), |(of, _)| last_segment_name(of))
}

/// Whether the block is a blanket impl, for a type parameter or a reference to one: `impl<T: Display> Shown for &T`.
fn is_blanket(block: &ItemImpl) -> bool {
    fn names_parameter(own: &Type, block: &ItemImpl) -> bool {
        match own {
            Type::Path(path) => {
                path.qself.is_none()
                    && block.generics.type_params().any(|parameter| path.path.is_ident(&parameter.ident))
            }
            Type::Reference(reference) => names_parameter(&reference.elem, block),
            Type::Group(group) => names_parameter(&group.elem, block),
            Type::Paren(paren) => names_parameter(&paren.elem, block),
            _ => false,
        }
    }
    names_parameter(&block.self_ty, block)
}

fn type_name(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => last_segment_name(&path.path),
        Type::Reference(reference) => type_name(&reference.elem),
        Type::Group(group) => type_name(&group.elem),
        Type::Paren(paren) => type_name(&paren.elem),
        Type::TraitObject(object) => object.bounds.iter().find_map(trait_name).unwrap_or_default(),
        other => remove_spaces(&other.to_token_stream().to_string()),
    }
}

/// Removes the spaces of printed tokens except between two words: `*const T`, `[u8;4]`.
fn remove_spaces(text: &str) -> String {
    let is_joined = |character: Option<char>| {
        character.is_some_and(|character| character.is_alphanumeric() || character == '_')
    };
    let mut words = text.split(' ');
    let mut compact = words.next().unwrap_or_default().to_owned();
    for word in words {
        if is_joined(compact.chars().next_back()) && is_joined(word.chars().next()) {
            compact.push(' ');
        }
        compact.push_str(word);
    }
    compact
}

fn trait_name(bound: &TypeParamBound) -> Option<String> {
    match bound {
        TypeParamBound::Trait(bound) => Some(last_segment_name(&bound.path)),
        _ => None,
    }
}

fn last_segment_name(path: &Path) -> String {
    path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default()
}
