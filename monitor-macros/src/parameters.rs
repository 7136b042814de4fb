//! What a function's parameters bind, and how its body takes them over without a change in meaning.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    AngleBracketedGenericArguments, Attribute, FnArg, GenericArgument, Pat, PatIdent, PathArguments,
    ReceiverKind, Signature, Type,
};

use crate::function::Function;

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

fn find_owned_receiver(signature: &Signature) -> Option<(Ident, Vec<Attribute>)> {
    let receiver = signature.receiver()?;
    let is_owned = match &receiver.kind {
        ReceiverKind::Value => true,
        ReceiverKind::Typed(_, declared) => !is_reference_or_primitive(declared),
        _ => false,
    };
    is_owned.then(|| (receiver.self_token.into(), Vec::new()))
}

/// Whether a value of the type has no parts and is dropped unseen: a reference, a number, a truth or a character.
fn is_reference_or_primitive(declared: &Type) -> bool {
    match declared {
        Type::Reference(_) => true,
        Type::Path(path) => PRIMITIVES.iter().any(|name| path.path.is_ident(name)),
        _ => false,
    }
}

/// Whether nobody can tell when the function drops its parameters, but by the memory that they give back.
pub(crate) fn have_no_user_drop(signature: &Signature) -> bool {
    signature.inputs.iter().all(|input| match input {
        FnArg::Receiver(receiver) => match &receiver.kind {
            ReceiverKind::Value => false,
            ReceiverKind::Typed(_, declared) => has_no_user_drop(declared),
            _ => true,
        },
        FnArg::Typed(parameter) => has_no_user_drop(&parameter.ty),
    })
}

/// Whether the type is a plain one, or one of the standard library's that holds nothing else.
fn has_no_user_drop(declared: &Type) -> bool {
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

/// Types of the standard library that own memory, if anything. Of a `Path`, a function can own only one of another crate.
const STD_LEAVES: [&str; 7] = ["str", "String", "PathBuf", "OsString", "Duration", "Instant", "SystemTime"];

/// Types of the standard library that drop what they hold, by how many types that are. With fewer, it is an alias, which may
/// hold more than it says, as `io::Result<u8>` does.
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

fn is_underscored(name: &Ident) -> bool {
    name.to_string().starts_with('_')
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

/// Whether a reference or a lifetime stands in the type.
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

/// The names that the parameters bind; none, where a macro may bind more.
pub(crate) fn parameter_names(signature: &Signature) -> Option<Vec<String>> {
    struct Names(Vec<String>, bool);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, binding: &'ast PatIdent) {
            self.0.push(binding.ident.unraw().to_string());
            visit::visit_pat_ident(self, binding);
        }

        fn visit_pat(&mut self, pattern: &'ast Pat) {
            self.1 |= matches!(pattern, Pat::Macro(_) | Pat::Verbatim(_));
            visit::visit_pat(self, pattern);
        }
    }
    let mut names = Names(Vec::new(), false);
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input {
            names.visit_pat(&parameter.pat);
        }
    }
    (!names.1).then_some(names.0)
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
