//! What a function gives its caller, which decides when its call ends.

use syn::visit::Visit;
use syn::{Attribute, GenericArgument, PathArguments, ReturnType, Signature, Type, TypeParamBound};

use crate::early::{contains_await, may_return_early};
use crate::function::Function;
use crate::parameters::{contains_borrow, have_no_user_drop};

/// How a function is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Until its body returns.
    Value,
    /// Until its body ends, which is left in its place: a closure hides it from lints, and the caller from `#[track_caller]`.
    InPlace,
    /// Until its body ends, which is left in its place and cannot end in an error; so a guard is enough.
    Guarded,
    /// As its return type turns out to be: a boxed future, a boxed stream, or a value.
    ByType,
    /// `async fn`: until its future is ready.
    Async,
    /// `-> impl Future`: until the future is ready.
    Future,
    /// `-> impl IntoFuture`: until the future that it becomes is ready.
    IntoFuture,
    /// Until the stream ends.
    Stream(StreamType),
    /// `async fn`: until the stream that it gives ends.
    AsyncStream(StreamType),
    /// Until the stream that it gives as an `Ok` ends.
    TryStream(StreamType),
}

/// Where the stream is in the return type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamType {
    /// It has to leave as the boxed type it came as.
    pub(crate) is_boxed: bool,
    /// It is the `Ok` of a `Result`.
    pub(crate) is_in_result: bool,
}

/// Traits of a future, by the last word of their paths.
const FUTURE_TRAITS: [&str; 3] = ["Future", "FusedFuture", "TryFuture"];

/// Traits of a stream, by the last word of their paths.
const STREAM_TRAITS: [&str; 3] = ["Stream", "FusedStream", "TryStream"];

/// Traits that no stream is known by. Beside them, a trait of the user's may be a stream's.
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

/// Types that are neither a future nor a stream, so that the compiler need not be asked.
const VALUE_TYPES: [&str; 23] = [
    "Result", "Option", "Self", "String", "Vec", "Arc", "Rc", "HashMap", "BTreeMap", "Duration", "Cow",
    "bool", "char", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize", "f32", "f64",
];

impl Shape {
    /// Reads the signature; `stream` is what the user says where an alias hides it.
    pub(crate) fn of_function(function: &Function, declares_stream: bool, is_judged: bool) -> Self {
        let shape = Self::of_signature(&function.signature, declares_stream, is_judged);
        let tracks_caller = has_track_caller(function);
        // A destructor that somebody may see is a part of the call, which takes a closure that owns the parameters.
        let may_stay_in_place = tracks_caller || have_no_user_drop(&function.signature);
        // Of a borrow that does not hold, the compiler speaks best where it is the end of a function or a closure.
        let is_in_place = || {
            let output = &function.signature.output;
            may_stay_in_place
                && !may_return_early(&function.body)
                && (tracks_caller || !returns_borrow(output))
        };
        match (shape, &function.signature.output) {
            // What such a type promises of its value, as of a closure's arguments, reaches a body in its place only.
            (Self::Value, output) if !is_judged && returns_opaque(output) => Self::Guarded,
            (Self::Value, output)
                if !is_judged
                    && may_stay_in_place
                    && cannot_return_error(output)
                    && !may_change_return_type(&function.attributes) =>
            {
                Self::Guarded
            }
            (Self::Value, _) if is_in_place() => Self::InPlace,
            (Self::Async, _) if !contains_await(&function.body) && is_in_place() => Self::InPlace,
            (Self::ByType, output)
                if tracks_caller
                    && !declares_stream
                    && !is_box_by_name(output)
                    && !may_return_early(&function.body) =>
            {
                Self::InPlace
            }
            _ => shape,
        }
    }

    fn of_signature(signature: &Signature, declares_stream: bool, is_judged: bool) -> Self {
        let declared = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, declared) => Some(&**declared),
        };
        // Whether there is a stream behind a type macro is for the compiler to find out. A predicate that judges a value does not
        // judge an item as well, so with one it is for the user to say.
        let is_stream_macro =
            !is_judged && declared.is_some_and(|declared| find_stream_macro(declared).is_some());
        let declares_stream = declares_stream || is_stream_macro;
        match (signature.asyncness.is_some(), declared) {
            (true, Some(declared)) => {
                find_stream(declared, declares_stream).map_or(Self::Async, Self::AsyncStream)
            }
            (true, None) => Self::Async,
            (false, Some(declared)) => Self::of_sync(declared, declares_stream),
            (false, None) => Self::Value,
        }
    }

    fn of_sync(declared: &Type, declares_stream: bool) -> Self {
        let declared = ungroup_type(declared);
        match find_stream(declared, declares_stream) {
            Some(stream @ StreamType { is_in_result: true, .. }) => return Self::TryStream(stream),
            Some(StreamType { is_boxed: true, .. }) if find_stream_alias(declared).is_some() => {
                return Self::ByType;
            }
            Some(stream) => return Self::Stream(stream),
            None => {}
        }
        match declared {
            _ if is_impl_of(declared, &FUTURE_TRAITS) => Self::Future,
            _ if is_impl_of(declared, &["IntoFuture"]) => Self::IntoFuture,
            Type::Path(_) if is_value_type(declared) || contains_opaque(declared) => Self::Value,
            Type::Path(_) | Type::Macro(_) => Self::ByType,
            _ => Self::Value,
        }
    }
}

/// The type without the parentheses, or the invisible group of a `$t:ty`, around it.
fn ungroup_type(declared: &Type) -> &Type {
    match declared {
        Type::Group(group) => ungroup_type(&group.elem),
        Type::Paren(paren) => ungroup_type(&paren.elem),
        _ => declared,
    }
}

pub(crate) fn returns_opaque(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if is_opaque(declared))
}

/// `impl Trait`, alone or in a tuple, neither of which is an error.
fn is_opaque(declared: &Type) -> bool {
    match declared {
        Type::ImplTrait(_) => true,
        Type::Tuple(tuple) => tuple.elems.iter().any(is_opaque),
        _ => false,
    }
}

fn returns_borrow(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if contains_borrow(declared))
}

/// Attributes of the compiler, and the first words of those of its tools. None of them changes what the function returns.
const INERT_ATTRIBUTES: [&str; 30] = [
    "allow",
    "automatically_derived",
    "bench",
    "cfg",
    "clippy",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "diagnostic",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "ignore",
    "inline",
    "instruction_set",
    "link_section",
    "must_use",
    "no_mangle",
    "optimize",
    "rustdoc",
    "rustfmt",
    "should_panic",
    "target_feature",
    "test",
    "track",
    "track_caller",
    "unsafe",
    "warn",
];

/// Whether an attribute of another crate is still to run, which may make the function return another type than it says now:
/// `culpa::throws` makes a `Result` of it. A body that is held against the declared type then does not compile, where one under
/// a guard would count each error as a success.
fn may_change_return_type(attributes: &[Attribute]) -> bool {
    let is_inert = |attribute: &Attribute| {
        attribute
            .path()
            .segments
            .first()
            .is_some_and(|first| INERT_ATTRIBUTES.iter().any(|inert| first.ident == inert))
    };
    !attributes.iter().all(is_inert)
}

fn has_track_caller(function: &Function) -> bool {
    function.attributes.iter().any(|attribute| attribute.path().is_ident("track_caller"))
}

/// Whether the type is a box by its name, and so may hold a future or a stream.
fn is_box_by_name(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    let Type::Path(path) = ungroup_type(declared) else {
        return matches!(ungroup_type(declared), Type::Macro(_));
    };
    path.path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        ["Pin", "Box"].contains(&name.as_str()) || name.ends_with("Future") || name.ends_with("Stream")
    })
}

/// Whether the type is known to be none that could be an error.
fn cannot_return_error(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, declared) => cannot_be_error(declared),
    }
}

/// Whether nobody can make the type one that decides for itself, which takes a type of one's own, nor is it a `Result`.
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

/// Whether the type may be a future, so that an `async` block which ends in it looks like one that lacks an `.await`.
pub(crate) fn may_return_future(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    matches!(ungroup_type(declared), Type::Path(_) | Type::ImplTrait(_) | Type::Macro(_))
        && !is_value_type(declared)
        && ok_type(declared).is_none()
}

/// The type that a future gives or a stream's items have, as the `impl Trait` says.
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
    // A trait of the user's that is a stream's may name the item as well.
    known.chain(bounds()).find_map(|bound| {
        let named = |name: &str| find_associated_type(&bound.arguments, name);
        named("Output").or_else(|| named("Item")).or_else(|| build_result_type(named("Ok"), named("Error")))
    })
}

/// The `Result` of a trait that names its two types, `_` for the one that it leaves open.
fn build_result_type(ok: Option<Type>, error: Option<Type>) -> Option<Type> {
    if ok.is_none() && error.is_none() {
        return None;
    }
    let [ok, error] = [ok, error].map(|named| named.unwrap_or_else(|| syn::parse_quote!(_)));
    Some(syn::parse_quote!(::core::result::Result<#ok, #error>))
}

/// The type that the arguments of a trait give its associated type of that name.
fn find_associated_type(arguments: &PathArguments, name: &str) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(associated) if associated.ident == name => Some(associated.ty.clone()),
        _ => None,
    })
}

/// A type that only the compiler can name cannot be asked what it is.
pub(crate) fn contains_opaque(declared: &Type) -> bool {
    UnnamedParts::of(declared).is_opaque
}

/// Whether a part of the type is left to the compiler: an `impl Trait`, or `_`.
pub(crate) fn is_partly_inferred(declared: &Type) -> bool {
    let unnamed = UnnamedParts::of(declared);
    unnamed.is_opaque || unnamed.is_inferred
}

/// Which parts of a type have no name.
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

fn is_value_type(declared: &Type) -> bool {
    let Type::Path(path) = declared else { return false };
    path.path.segments.last().is_some_and(|last| VALUE_TYPES.iter().any(|value| last.ident == value))
}

/// The stream that the type shows, or that the user says it holds.
fn find_stream(declared: &Type, declares_stream: bool) -> Option<StreamType> {
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

/// `impl Trait` of a trait that may be a stream's.
fn may_implement_stream(declared: &Type) -> bool {
    let Type::ImplTrait(opaque) = declared else { return false };
    opaque
        .bounds
        .iter()
        .any(|bound| matches!(bound, TypeParamBound::Trait(_)) && !names_trait(bound, &OTHER_TRAITS))
}

/// What can be a stream only if it is an alias of one: the type itself or, of a `Result`, its `Ok`.
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

/// A type macro as which a function gives a value or a stream, only the compiler knows which.
pub(crate) fn find_stream_macro(declared: &Type) -> Option<&Type> {
    find_stream_alias(declared).filter(|alias| matches!(alias, Type::Macro(_)))
}

/// The `Ok` type of whatever is called `…Result`.
fn ok_type(declared: &Type) -> Option<&Type> {
    let Type::Path(path) = declared else { return None };
    let last = path.path.segments.last().filter(|last| last.ident.to_string().ends_with("Result"))?;
    first_type_argument(&last.arguments)
}

/// `Pin<Box<dyn Stream>>`, or one of the aliases that `futures` has for it.
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

/// The `impl Future` or `impl Stream` in a box, which can be wrapped neither by its type, which nobody can name, nor as it is.
pub(crate) fn find_boxed_opaque(signature: &Signature) -> Option<&Type> {
    let ReturnType::Type(_, declared) = &signature.output else { return None };
    let declared = ungroup_type(declared);
    let returned = ungroup_type(ok_type(declared).unwrap_or(declared));
    let mut held = returned;
    while let Type::Path(path) = held
        && let Some(last) =
            path.path.segments.last().filter(|last| last.ident == "Pin" || last.ident == "Box")
    {
        held = ungroup_type(first_type_argument(&last.arguments)?);
    }
    // A future in the result of another future, or beside an error, is a value.
    let is_returned = signature.asyncness.is_none() && ok_type(declared).is_none();
    let is_hidden = is_impl_of(held, &STREAM_TRAITS) || is_returned && is_impl_of(held, &FUTURE_TRAITS);
    (is_hidden && matches!(returned, Type::Path(_))).then_some(held)
}

fn first_type_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// `impl … + Name + …`, of one of the names.
fn is_impl_of(declared: &Type, names: &[&str]) -> bool {
    matches!(declared, Type::ImplTrait(opaque) if opaque.bounds.iter().any(|bound| names_trait(bound, names)))
}

fn names_trait(bound: &TypeParamBound, names: &[&str]) -> bool {
    let TypeParamBound::Trait(bound) = bound else { return false };
    bound.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(signature: &str) -> Shape {
        Shape::of_signature(&syn::parse_str(signature).unwrap(), false, false)
    }

    const fn stream(is_boxed: bool, is_in_result: bool) -> StreamType {
        StreamType { is_boxed, is_in_result }
    }

    #[test]
    fn a_signature_says_when_its_call_ends() {
        assert_eq!(shape("fn f()"), Shape::Value);
        assert_eq!(shape("fn f() -> Result<u8, Error>"), Shape::Value);
        assert_eq!(shape("fn f() -> &'static str"), Shape::Value);
        assert_eq!(shape("fn f() -> my::Alias<u8>"), Shape::ByType);
        assert_eq!(shape("fn f() -> Pin<Box<dyn Future<Output = u8>>>"), Shape::ByType);
        assert_eq!(shape("fn f() -> impl Future<Output = u8> + Send"), Shape::Future);
        assert_eq!(shape("async fn f() -> Result<u8, Error>"), Shape::Async);
        assert_eq!(shape("fn f() -> impl Stream<Item = u8>"), Shape::Stream(stream(false, false)));
        assert_eq!(shape("fn f() -> BoxStream<'static, u8>"), Shape::Stream(stream(true, false)));
        let result = "async fn f() -> io::Result<impl futures::Stream<Item = u8>>";
        assert_eq!(shape(result), Shape::AsyncStream(stream(false, true)));
        let result = "fn f() -> Result<BoxStream<'static, u8>, Error>";
        assert_eq!(shape(result), Shape::TryStream(stream(true, true)));
        assert_eq!(shape("fn f() -> impl futures::TryFuture<Ok = u8, Error = E> + 'a"), Shape::Future);
        assert_eq!(shape("fn f() -> (impl Send + FusedFuture<Output = u8>)"), Shape::Future);
        assert_eq!(shape("fn f() -> impl IntoFuture<Output = u8>"), Shape::IntoFuture);
        assert_eq!(shape("fn f() -> impl FusedStream<Item = u8>"), Shape::Stream(stream(false, false)));
        assert_eq!(shape("async fn f() -> (impl TryStream)"), Shape::AsyncStream(stream(false, false)));
        assert_eq!(shape("fn f() -> Result<(impl TryStream), E>"), Shape::TryStream(stream(false, true)));
        assert_eq!(shape("fn f() -> Box<(dyn TryStream + Send)>"), Shape::Stream(stream(true, false)));
        assert_eq!(shape("fn f() -> impl Iterator<Item = u8>"), Shape::Value);
        assert_eq!(shape("fn f() -> Boxed!(u8)"), Shape::ByType);
        assert_eq!(shape("async fn f() -> Boxed!(u8)"), Shape::AsyncStream(stream(true, false)));
        assert_eq!(shape("fn f() -> Result<Boxed!(u8), E>"), Shape::TryStream(stream(true, true)));
        let boxed = "async fn f() -> Result<Pin<Box<dyn Stream<Item = u8> + Send>>, Error>";
        assert_eq!(shape(boxed), Shape::AsyncStream(stream(true, true)));
    }
}
