//! Reads the tokens of a return type: a future, a stream, a value, or an alias that only the compiler resolves.

use syn::visit::Visit;
use syn::{GenericArgument, PathArguments, PathSegment, ReturnType, Signature, Type, TypeParamBound};

use super::parameters::contains_borrow;

/// The position of the stream in the return type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamType {
    /// Whether it is a box, which has to be returned as the same boxed type.
    pub(crate) is_boxed: bool,
    /// Whether it is the `Ok` of a `Result`.
    pub(crate) is_in_result: bool,
}

/// Traits that only futures implement.
pub(crate) const FUTURE_TRAITS: [&str; 3] = ["Future", "FusedFuture", "TryFuture"];

/// Traits that only streams implement.
const STREAM_TRAITS: [&str; 3] = ["Stream", "FusedStream", "TryStream"];

/// Traits that say nothing about a stream. Any other one may be the user's trait of a stream.
const OTHER_TRAITS: [&str; 43] = [
    "Send",
    "Sync",
    "Unpin",
    "Sized",
    "UnwindSafe",
    "RefUnwindSafe",
    "Clone",
    "Copy",
    "Debug",
    "Display",
    "Error",
    "Default",
    "Any",
    "Eq",
    "PartialEq",
    "Ord",
    "PartialOrd",
    "Hash",
    "Hasher",
    "Iterator",
    "IntoIterator",
    "DoubleEndedIterator",
    "ExactSizeIterator",
    "FusedIterator",
    "Fn",
    "FnMut",
    "FnOnce",
    "AsyncFn",
    "AsyncFnMut",
    "AsyncFnOnce",
    "AsRef",
    "AsMut",
    "Into",
    "ToString",
    "ToOwned",
    "Deref",
    "Read",
    "Write",
    "Future",
    "FusedFuture",
    "TryFuture",
    "IntoFuture",
    "Sink",
];

/// Types that are neither a future nor a stream: the compiler need not choose by them.
const VALUE_TYPES: [&str; 23] = [
    "Result", "Option", "Self", "String", "Vec", "Arc", "Rc", "HashMap", "BTreeMap", "Duration", "Cow",
    "bool", "char", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize", "f32", "f64",
];

/// Finds the stream in the type: one that the type shows, or, if the user declares one, one that it may hide.
pub(crate) fn find_stream(declared: &Type, declares_stream: bool) -> Option<StreamType> {
    let declared = ungroup_type(declared);
    if is_impl_of(declared, &STREAM_TRAITS) || declares_stream && may_implement_stream(declared) {
        return Some(StreamType { is_boxed: false, is_in_result: false });
    }
    if let Some(held) = ok_type(declared) {
        return find_stream(held, declares_stream).map(|stream| StreamType { is_in_result: true, ..stream });
    }
    let may_be_stream = is_boxed_stream(declared) || declares_stream && find_stream_alias(declared).is_some();
    may_be_stream.then_some(StreamType { is_boxed: true, is_in_result: false })
}

/// Whether the type is an `impl Trait` of a trait that may be a stream's.
fn may_implement_stream(declared: &Type) -> bool {
    let Type::ImplTrait(opaque) = declared else { return false };
    opaque
        .bounds
        .iter()
        .any(|bound| matches!(bound, TypeParamBound::Trait(_)) && !names_trait(bound, &OTHER_TRAITS))
}

/// Finds the type that may be an alias of a boxed stream: the return type itself, or its `Ok`.
pub(crate) fn find_stream_alias(declared: &Type) -> Option<&Type> {
    let declared = ungroup_type(declared);
    let candidate = ungroup_type(ok_type(declared).unwrap_or(declared));
    match candidate {
        Type::Macro(_) => Some(candidate),
        Type::Path(_)
            if !is_value_type(candidate) && !is_boxed_stream(candidate) && !contains_opaque(candidate) =>
        {
            Some(candidate)
        }
        _ => None,
    }
}

/// Finds a type macro, which only the compiler expands: to a stream or to a value.
pub(crate) fn find_stream_macro(declared: &Type) -> Option<&Type> {
    find_stream_alias(declared).filter(|alias| matches!(alias, Type::Macro(_)))
}

/// Whether the type is a `Pin<Box<dyn Stream>>`, or one of the aliases for it in `futures`.
fn is_boxed_stream(declared: &Type) -> bool {
    let Type::Path(path) = declared else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    match last.ident.to_string().as_str() {
        "BoxStream" | "LocalBoxStream" => true,
        "Pin" | "Box" => {
            first_type_argument(&last.arguments).is_some_and(|inner| match ungroup_type(inner) {
                Type::TraitObject(object) => {
                    object.bounds.iter().any(|bound| names_trait(bound, &STREAM_TRAITS))
                }
                inner => is_boxed_stream(inner),
            })
        }
        _ => false,
    }
}

/// Finds an `impl Future` or `impl Stream` in a box.
///
/// It cannot be tracked: the wrapper has another type, and the box in the signature has to hold the type that nobody can name.
pub(crate) fn find_boxed_opaque(signature: &Signature) -> Option<&Type> {
    let ReturnType::Type(_, declared) = &signature.output else { return None };
    let declared = ungroup_type(declared);
    let returned = ungroup_type(ok_type(declared).unwrap_or(declared));
    let mut held = returned;
    while let Some(last) = pin_or_box(held) {
        held = ungroup_type(first_type_argument(&last.arguments)?);
    }
    // A future that another future or a `Result` holds is a value, whose end is not the call's.
    let is_returned = signature.asyncness.is_none() && ok_type(declared).is_none();
    let is_hidden = is_impl_of(held, &STREAM_TRAITS) || is_returned && is_impl_of(held, &FUTURE_TRAITS);
    (is_hidden && matches!(returned, Type::Path(_))).then_some(held)
}

fn pin_or_box(declared: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = declared else { return None };
    path.path.segments.last().filter(|last| last.ident == "Pin" || last.ident == "Box")
}

/// Finds the type that is judged, in the bounds of an `impl Trait`: a future's `Output`, or a stream's `Item`.
pub(crate) fn find_judged_type(declared: &Type) -> Option<Type> {
    let Type::ImplTrait(opaque) = ungroup_type(declared) else { return None };
    let bounds = || {
        opaque.bounds.iter().filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last(),
            _ => None,
        })
    };
    let known = bounds().filter(|bound| {
        let names = FUTURE_TRAITS.iter().chain(&STREAM_TRAITS).chain(&["IntoFuture"]);
        names.copied().any(|name| bound.ident == name)
    });
    // The user's own trait of a stream may name the item, too.
    known.chain(bounds()).find_map(|bound| {
        let named = |name: &str| find_associated_type(&bound.arguments, name);
        named("Output").or_else(|| named("Item")).or_else(|| build_result_type(named("Ok"), named("Error")))
    })
}

/// Builds the `Result` of `TryFuture<Ok = T, Error = E>`, with `_` for a type that is not named.
fn build_result_type(ok: Option<Type>, error: Option<Type>) -> Option<Type> {
    if ok.is_none() && error.is_none() {
        return None;
    }
    let [ok, error] = [ok, error].map(|named| named.unwrap_or_else(|| syn::parse_quote!(_)));
    Some(syn::parse_quote!(::core::result::Result<#ok, #error>))
}

/// Finds the type of `Name = …` among the arguments of a trait.
fn find_associated_type(arguments: &PathArguments, name: &str) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(associated) if associated.ident == name => Some(associated.ty.clone()),
        _ => None,
    })
}

/// Whether the return type is an `impl Trait`, alone or in a tuple. Neither is judged an error.
pub(crate) fn returns_opaque(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if is_opaque(declared))
}

fn is_opaque(declared: &Type) -> bool {
    match declared {
        Type::ImplTrait(_) => true,
        Type::Tuple(tuple) => tuple.elems.iter().any(is_opaque),
        _ => false,
    }
}

/// Whether there is an `impl Trait` anywhere in the type: emitted code cannot name such a type.
pub(crate) fn contains_opaque(declared: &Type) -> bool {
    UnnamedParts::of(declared).is_opaque
}

/// Whether the compiler infers a part of the type: an `impl Trait`, or `_`.
pub(crate) fn is_partly_inferred(declared: &Type) -> bool {
    let unnamed = UnnamedParts::of(declared);
    unnamed.is_opaque || unnamed.is_inferred
}

/// The parts of a type that have no name.
#[derive(Default)]
struct UnnamedParts {
    is_opaque: bool,
    is_inferred: bool,
}

impl UnnamedParts {
    fn of(declared: &Type) -> Self {
        let mut found = Self::default();
        found.visit_type(declared);
        found
    }
}

impl<'ast> Visit<'ast> for UnnamedParts {
    fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
        self.is_opaque = true;
    }

    fn visit_type_infer(&mut self, _: &'ast syn::TypeInfer) {
        self.is_inferred = true;
    }
}

pub(crate) fn returns_borrow(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if contains_borrow(declared))
}

/// Whether the return type may be a boxed future or stream: a box, or an alias that is called like one.
pub(crate) fn is_box_by_name(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    let Type::Path(path) = ungroup_type(declared) else {
        return matches!(ungroup_type(declared), Type::Macro(_));
    };
    path.path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        ["Pin", "Box"].contains(&name.as_str()) || name.ends_with("Future") || name.ends_with("Stream")
    })
}

/// Whether no value of the return type can be an error.
pub(crate) fn cannot_return_error(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, declared) => cannot_be_error(declared),
    }
}

/// Whether the type is not a `Result` and cannot implement `Classify`, which the orphan rule allows for the user's own types only.
fn cannot_be_error(declared: &Type) -> bool {
    match declared {
        Type::Reference(reference) => cannot_be_error(&reference.elem),
        Type::Group(group) => cannot_be_error(&group.elem),
        Type::Paren(paren) => cannot_be_error(&paren.elem),
        Type::Path(path) if path.path.is_ident("str") => true,
        Type::Path(path) if path.path.is_ident("Self") => false,
        Type::Path(_) => is_value_type(declared) && ok_type(declared).is_none(),
        Type::Array(_) | Type::FnPtr(_) | Type::Ptr(_) | Type::Slice(_) | Type::Tuple(_) => true,
        _ => false,
    }
}

/// Whether the return type may be a future. Clippy takes an `async` block that ends in one for one that lacks an `.await`.
pub(crate) fn may_return_future(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    matches!(ungroup_type(declared), Type::Path(_) | Type::ImplTrait(_) | Type::Macro(_))
        && !is_value_type(declared)
        && ok_type(declared).is_none()
}

pub(crate) fn is_value_type(declared: &Type) -> bool {
    let Type::Path(path) = declared else { return false };
    path.path.segments.last().is_some_and(|last| VALUE_TYPES.iter().any(|value| last.ident == value))
}

/// The `Ok` of a type that is called `…Result`: aliases of `Result` name it first.
fn ok_type(declared: &Type) -> Option<&Type> {
    let Type::Path(path) = declared else { return None };
    let last = path.path.segments.last().filter(|last| last.ident.to_string().ends_with("Result"))?;
    first_type_argument(&last.arguments)
}

fn first_type_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// Whether the type is an `impl Trait` with a bound of one of the names.
pub(crate) fn is_impl_of(declared: &Type, names: &[&str]) -> bool {
    matches!(declared, Type::ImplTrait(opaque) if opaque.bounds.iter().any(|bound| names_trait(bound, names)))
}

fn names_trait(bound: &TypeParamBound, names: &[&str]) -> bool {
    let TypeParamBound::Trait(bound) = bound else { return false };
    bound.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// Unwraps the parentheses around the type, or the invisible group of a `$t:ty`.
pub(crate) fn ungroup_type(declared: &Type) -> &Type {
    match declared {
        Type::Group(group) => ungroup_type(&group.elem),
        Type::Paren(paren) => ungroup_type(&paren.elem),
        _ => declared,
    }
}
