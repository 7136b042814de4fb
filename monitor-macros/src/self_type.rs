//! The name of the type that an impl block is for, as the ids of its methods begin with it.

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{ItemImpl, Path, Type, TypeParamBound};

/// The type's name without path and generics. A block for every type has that of its trait.
pub(crate) fn type_name(block: &ItemImpl) -> String {
    let blanket = block.trait_.as_ref().filter(|_| is_parameter(block));
    blanket.map_or_else(|| named(&block.self_ty), |(of, _)| last_name(of))
}

/// Whether the block is for a type parameter of its own, or for references to one: `impl<T: Display> Shown for &T`.
fn is_parameter(block: &ItemImpl) -> bool {
    fn is_any(own: &Type, block: &ItemImpl) -> bool {
        match own {
            Type::Path(path) => {
                path.qself.is_none()
                    && block.generics.type_params().any(|parameter| path.path.is_ident(&parameter.ident))
            }
            Type::Reference(reference) => is_any(&reference.elem, block),
            Type::Group(group) => is_any(&group.elem, block),
            Type::Paren(paren) => is_any(&paren.elem, block),
            _ => false,
        }
    }
    is_any(&block.self_ty, block)
}

fn named(self_type: &Type) -> String {
    match self_type {
        Type::Path(path) => last_name(&path.path),
        Type::Reference(reference) => named(&reference.elem),
        Type::Group(group) => named(&group.elem),
        Type::Paren(paren) => named(&paren.elem),
        Type::TraitObject(object) => object.bounds.iter().find_map(trait_name).unwrap_or_default(),
        other => compact(&other.to_token_stream().to_string()),
    }
}

/// The tokens without spaces, but for those between two words: `*const T`, `[u8;4]`.
fn compact(text: &str) -> String {
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
        TypeParamBound::Trait(bound) => Some(last_name(&bound.path)),
        _ => None,
    }
}

fn last_name(path: &Path) -> String {
    path.segments.last().map(|last| last.ident.unraw().to_string()).unwrap_or_default()
}
