//! The names that parameters bind, and whether the user's code can see their drop.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{
    AngleBracketedGenericArguments, FnArg, GenericArgument, Pat, PatIdent, PathArguments, ReceiverKind,
    Signature, Type,
};

/// Whether the type is a reference, a number, a `bool` or a `char`: a closure captures it whole, and its drop does nothing.
pub(crate) fn is_reference_or_primitive(declared: &Type) -> bool {
    match declared {
        Type::Reference(_) => true,
        Type::Path(path) => PRIMITIVES.iter().any(|name| path.path.is_ident(name)),
        _ => false,
    }
}

/// Whether dropping the parameters runs none of the user's code, so that the time of the drop cannot be seen.
pub(crate) fn parameters_have_no_user_drop(signature: &Signature) -> bool {
    signature.inputs.iter().all(|input| match input {
        FnArg::Receiver(receiver) => match &receiver.kind {
            ReceiverKind::Value => false,
            ReceiverKind::Typed(_, declared) => has_no_user_drop(declared),
            _ => true,
        },
        FnArg::Typed(parameter) => has_no_user_drop(&parameter.ty),
    })
}

/// Whether dropping a value of the type runs none of the user's code: it consists of types of the standard library only.
pub(crate) fn has_no_user_drop(declared: &Type) -> bool {
    match declared {
        declared if is_reference_or_primitive(declared) => true,
        Type::Ptr(_) | Type::FnPtr(_) | Type::Never(_) => true,
        Type::Tuple(tuple) => tuple.elems.iter().all(has_no_user_drop),
        Type::Array(array) => has_no_user_drop(&array.elem),
        Type::Slice(slice) => has_no_user_drop(&slice.elem),
        Type::Group(group) => has_no_user_drop(&group.elem),
        Type::Paren(paren) => has_no_user_drop(&paren.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| match &last.arguments {
            PathArguments::None => STD_LEAVES.iter().any(|name| last.ident == name),
            PathArguments::AngleBracketed(arguments) => {
                let is_container = STD_CONTAINERS
                    .iter()
                    .any(|(name, held)| last.ident == name && type_arguments(arguments).count() == *held);
                is_container && type_arguments(arguments).all(has_no_user_drop)
            }
            PathArguments::Parenthesized(_) => false,
        }),
        _ => false,
    }
}

fn type_arguments(arguments: &AngleBracketedGenericArguments) -> impl Iterator<Item = &Type> {
    arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(held) => Some(held),
        _ => None,
    })
}

/// Types of the standard library that own nothing but memory. `Path` is left out: it is unsized there, so a
/// parameter of that name is of another crate's type.
const STD_LEAVES: [&str; 7] = ["str", "String", "PathBuf", "OsString", "Duration", "Instant", "SystemTime"];

/// Types of the standard library that drop only their type arguments, with the number of these. With fewer arguments the name is
/// an alias, which may hold more types: `io::Result<u8>` holds an `io::Error`.
const STD_CONTAINERS: [(&str, usize); 11] = [
    ("Vec", 1),
    ("Box", 1),
    ("Option", 1),
    ("Result", 2),
    ("Rc", 1),
    ("Arc", 1),
    ("Cow", 1),
    ("HashMap", 2),
    ("BTreeMap", 2),
    ("HashSet", 1),
    ("BTreeSet", 1),
];

const PRIMITIVES: [&str; 16] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

/// Whether the type has a reference or a lifetime in it.
pub(crate) fn contains_borrow(declared: &Type) -> bool {
    fn any(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
            TokenTree::Group(group) => any(group.stream()),
            TokenTree::Ident(_) | TokenTree::Literal(_) => false,
        })
    }
    any(declared.to_token_stream())
}

/// The names that the parameters bind. `None` if a macro in a pattern may bind more.
pub(crate) fn parameter_names(signature: &Signature) -> Option<Vec<String>> {
    #[derive(Default)]
    struct Names {
        bound: Vec<String>,
        has_macro: bool,
    }
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, binding: &'ast PatIdent) {
            self.bound.push(binding.ident.unraw().to_string());
            visit::visit_pat_ident(self, binding);
        }

        fn visit_pat(&mut self, pattern: &'ast Pat) {
            self.has_macro |= matches!(pattern, Pat::Macro(_) | Pat::Verbatim(_));
            visit::visit_pat(self, pattern);
        }
    }
    let mut names = Names::default();
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input {
            names.visit_pat(&parameter.pat);
        }
    }
    (!names.has_macro).then_some(names.bound)
}
