//! What a function gives its caller, which decides when its call ends.

use syn::visit::Visit;
use syn::{Attribute, GenericArgument, PathArguments, ReturnType, Signature, Type, TypeParamBound};

use crate::early::{leaves_early, may_wait};
use crate::function::Function;
use crate::parameters::{are_dropped_unseen, borrows};

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
    Stream(Stream),
    /// `async fn`: until the stream that it gives ends.
    AsyncStream(Stream),
    /// Until the stream that it gives as an `Ok` ends.
    Opened(Stream),
}

/// Where the stream is in the return type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// It has to leave as the boxed type it came as.
    pub(crate) is_boxed: bool,
    /// It is the `Ok` of a `Result`.
    pub(crate) is_in_result: bool,
}

/// Traits of a future, by the last word of their paths.
const FUTURES: [&str; 3] = ["Future", "FusedFuture", "TryFuture"];

/// Traits of a stream, by the last word of their paths.
const STREAMS: [&str; 3] = ["Stream", "FusedStream", "TryStream"];

/// Traits that no stream is known by. Beside them, a trait of the user's may be a stream's.
const OTHERS: [&str; 43] = [
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
const VALUES: [&str; 23] = [
    "Result", "Option", "Self", "String", "Vec", "Arc", "Rc", "HashMap", "BTreeMap", "Duration", "Cow",
    "bool", "char", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize", "f32", "f64",
];

impl Shape {
    /// Reads the signature; `stream` is what the user says where an alias hides it.
    pub(crate) fn of(function: &Function, stream: bool, is_judged: bool) -> Self {
        let shape = Self::of_signature(&function.signature, stream, is_judged);
        let is_caller_tracked = is_track_caller(function);
        // A destructor that somebody may see is a part of the call, which takes a closure that owns the parameters.
        let stays_in_place = is_caller_tracked || are_dropped_unseen(&function.signature);
        // Of a borrow that does not hold, the compiler speaks best where it is the end of a function or a closure.
        let is_in_place = || {
            let output = &function.signature.output;
            stays_in_place && !leaves_early(&function.body) && (is_caller_tracked || !gives_borrow(output))
        };
        match (shape, &function.signature.output) {
            // What such a type promises of its value, as of a closure's arguments, reaches a body in its place only.
            (Self::Value, output) if !is_judged && gives_promise(output) => Self::Guarded,
            (Self::Value, output)
                if !is_judged
                    && stays_in_place
                    && is_never_an_error(output)
                    && !may_be_rewritten(&function.attributes) =>
            {
                Self::Guarded
            }
            (Self::Value, _) if is_in_place() => Self::InPlace,
            (Self::Async, _) if !may_wait(&function.body) && is_in_place() => Self::InPlace,
            (Self::ByType, output)
                if is_caller_tracked && !stream && !is_boxed(output) && !leaves_early(&function.body) =>
            {
                Self::InPlace
            }
            _ => shape,
        }
    }

    fn of_signature(signature: &Signature, stream: bool, is_judged: bool) -> Self {
        let declared = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, declared) => Some(&**declared),
        };
        // Whether there is a stream behind a type macro is for the compiler to find out. A predicate that judges a value does not
        // judge an item as well, so with one it is for the user to say.
        let is_hidden = !is_judged && declared.is_some_and(|declared| hidden_stream(declared).is_some());
        let stream = stream || is_hidden;
        match (signature.asyncness.is_some(), declared) {
            (true, Some(declared)) => stream_in(declared, stream).map_or(Self::Async, Self::AsyncStream),
            (true, None) => Self::Async,
            (false, Some(declared)) => Self::of_plain(declared, stream),
            (false, None) => Self::Value,
        }
    }

    fn of_plain(declared: &Type, stream: bool) -> Self {
        let declared = peeled(declared);
        match stream_in(declared, stream) {
            Some(opened @ Stream { is_in_result: true, .. }) => return Self::Opened(opened),
            Some(Stream { is_boxed: true, .. }) if said_stream(declared).is_some() => return Self::ByType,
            Some(stream) => return Self::Stream(stream),
            None => {}
        }
        match declared {
            _ if is_opaque(declared, &FUTURES) => Self::Future,
            _ if is_opaque(declared, &["IntoFuture"]) => Self::IntoFuture,
            Type::Path(_) if is_value(declared) || holds_opaque(declared) => Self::Value,
            Type::Path(_) | Type::Macro(_) => Self::ByType,
            _ => Self::Value,
        }
    }
}

/// The type without the parentheses, or the invisible group of a `$t:ty`, around it.
fn peeled(declared: &Type) -> &Type {
    match declared {
        Type::Group(group) => peeled(&group.elem),
        Type::Paren(paren) => peeled(&paren.elem),
        _ => declared,
    }
}

pub(crate) fn gives_promise(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if is_promise(declared))
}

/// `impl Trait`, alone or in a tuple, neither of which is an error.
fn is_promise(declared: &Type) -> bool {
    match declared {
        Type::ImplTrait(_) => true,
        Type::Tuple(tuple) => tuple.elems.iter().any(is_promise),
        _ => false,
    }
}

fn gives_borrow(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, declared) if borrows(declared))
}

/// Attributes of the compiler, and the first words of those of its tools. None of them changes what the function returns.
const INERT: [&str; 30] = [
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
fn may_be_rewritten(attributes: &[Attribute]) -> bool {
    let is_inert = |attribute: &Attribute| {
        attribute.path().segments.first().is_some_and(|first| INERT.iter().any(|inert| first.ident == inert))
    };
    !attributes.iter().all(is_inert)
}

fn is_track_caller(function: &Function) -> bool {
    function.attributes.iter().any(|attribute| attribute.path().is_ident("track_caller"))
}

/// Whether the type is a box by its name, and so may hold a future or a stream.
fn is_boxed(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    let Type::Path(path) = peeled(declared) else { return matches!(peeled(declared), Type::Macro(_)) };
    path.path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        ["Pin", "Box"].contains(&name.as_str()) || name.ends_with("Future") || name.ends_with("Stream")
    })
}

/// Whether the type is known to be none that could be an error.
fn is_never_an_error(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, declared) => cannot_fail(declared),
    }
}

/// Whether nobody can make the type one that decides for itself, which takes a type of one's own, nor is it a `Result`.
fn cannot_fail(declared: &Type) -> bool {
    match declared {
        Type::Reference(reference) => cannot_fail(&reference.elem),
        Type::Group(group) => cannot_fail(&group.elem),
        Type::Paren(paren) => cannot_fail(&paren.elem),
        Type::Path(path) if path.path.is_ident("str") => true,
        Type::Path(path) if path.path.is_ident("Self") => false,
        Type::Path(_) => is_value(declared) && ok_type(declared).is_none(),
        Type::Array(_) | Type::FnPtr(_) | Type::Ptr(_) | Type::Slice(_) | Type::Tuple(_) => true,
        _ => false,
    }
}

/// Whether the type may be a future, so that an `async` block which ends in it looks like one that lacks an `.await`.
pub(crate) fn may_be_awaited(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    matches!(peeled(declared), Type::Path(_) | Type::ImplTrait(_) | Type::Macro(_))
        && !is_value(declared)
        && ok_type(declared).is_none()
}

/// The type that a future gives or a stream's items have, as the `impl Trait` says.
pub(crate) fn promised(declared: &Type) -> Option<Type> {
    let Type::ImplTrait(opaque) = peeled(declared) else { return None };
    let bounds = || {
        opaque.bounds.iter().filter_map(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last(),
            _ => None,
        })
    };
    let known = bounds().filter(|bound| {
        let names = FUTURES.iter().chain(&STREAMS).chain(&["IntoFuture"]);
        names.copied().any(|name| bound.ident == name)
    });
    // A trait of the user's that is a stream's may name the item as well.
    known.chain(bounds()).find_map(|bound| {
        let named = |name: &str| associated(&bound.arguments, name);
        named("Output").or_else(|| named("Item")).or_else(|| result(named("Ok"), named("Error")))
    })
}

/// The `Result` of a trait that names its two types, `_` for the one that it leaves open.
fn result(ok: Option<Type>, error: Option<Type>) -> Option<Type> {
    if ok.is_none() && error.is_none() {
        return None;
    }
    let [ok, error] = [ok, error].map(|named| named.unwrap_or_else(|| syn::parse_quote!(_)));
    Some(syn::parse_quote!(::core::result::Result<#ok, #error>))
}

/// The type that the arguments of a trait give its associated type of that name.
fn associated(arguments: &PathArguments, name: &str) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(associated) if associated.ident == name => Some(associated.ty.clone()),
        _ => None,
    })
}

/// A type that only the compiler can name cannot be asked what it is.
pub(crate) fn holds_opaque(declared: &Type) -> bool {
    Unnamed::of(declared).is_opaque
}

/// Whether a part of the type is left to the compiler: an `impl Trait`, or `_`.
pub(crate) fn is_partly_known(declared: &Type) -> bool {
    let unnamed = Unnamed::of(declared);
    unnamed.is_opaque || unnamed.is_inferred
}

/// Which parts of a type have no name.
#[derive(Default)]
struct Unnamed {
    is_opaque: bool,
    is_inferred: bool,
}

impl Unnamed {
    fn of(declared: &Type) -> Self {
        let mut found = Self::default();
        found.visit_type(declared);
        found
    }
}

impl<'ast> Visit<'ast> for Unnamed {
    fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
        self.is_opaque = true;
    }

    fn visit_type_infer(&mut self, _: &'ast syn::TypeInfer) {
        self.is_inferred = true;
    }
}

fn is_value(declared: &Type) -> bool {
    let Type::Path(path) = declared else { return false };
    path.path.segments.last().is_some_and(|last| VALUES.iter().any(|value| last.ident == value))
}

/// The stream that the type shows, or that the user says it holds.
fn stream_in(declared: &Type, said: bool) -> Option<Stream> {
    let declared = peeled(declared);
    if is_opaque(declared, &STREAMS) || said && is_of_an_unknown_trait(declared) {
        return Some(Stream { is_boxed: false, is_in_result: false });
    }
    if let Some(held) = ok_type(declared) {
        return stream_in(held, said).map(|stream| Stream { is_in_result: true, ..stream });
    }
    let may_be_one = is_boxed_stream(declared) || said && said_stream(declared).is_some();
    may_be_one.then_some(Stream { is_boxed: true, is_in_result: false })
}

/// `impl Trait` of a trait that may be a stream's.
fn is_of_an_unknown_trait(declared: &Type) -> bool {
    let Type::ImplTrait(opaque) = declared else { return false };
    opaque.bounds.iter().any(|bound| matches!(bound, TypeParamBound::Trait(_)) && !is_trait(bound, &OTHERS))
}

/// What can be a stream only if it is an alias of one: the type itself or, of a `Result`, its `Ok`.
pub(crate) fn said_stream(declared: &Type) -> Option<&Type> {
    let declared = peeled(declared);
    let said = peeled(ok_type(declared).unwrap_or(declared));
    match said {
        Type::Macro(_) => Some(said),
        Type::Path(_) if !is_value(said) && !is_boxed_stream(said) && !holds_opaque(said) => Some(said),
        _ => None,
    }
}

/// A type macro as which a function gives a value or a stream, only the compiler knows which.
pub(crate) fn hidden_stream(declared: &Type) -> Option<&Type> {
    said_stream(declared).filter(|said| matches!(said, Type::Macro(_)))
}

/// The `Ok` type of whatever is called `…Result`.
fn ok_type(declared: &Type) -> Option<&Type> {
    let Type::Path(path) = declared else { return None };
    let last = path.path.segments.last().filter(|last| last.ident.to_string().ends_with("Result"))?;
    first_type(&last.arguments)
}

/// `Pin<Box<dyn Stream>>`, or one of the aliases that `futures` has for it.
fn is_boxed_stream(declared: &Type) -> bool {
    let Type::Path(path) = declared else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    match last.ident.to_string().as_str() {
        "BoxStream" | "LocalBoxStream" => true,
        "Pin" | "Box" => first_type(&last.arguments).is_some_and(|inner| match peeled(inner) {
            Type::TraitObject(object) => object.bounds.iter().any(|bound| is_trait(bound, &STREAMS)),
            inner => is_boxed_stream(inner),
        }),
        _ => false,
    }
}

/// The `impl Future` or `impl Stream` in a box, which can be wrapped neither by its type, which nobody can name, nor as it is.
pub(crate) fn boxed_opaque(signature: &Signature) -> Option<&Type> {
    let ReturnType::Type(_, declared) = &signature.output else { return None };
    let declared = peeled(declared);
    let returned = peeled(ok_type(declared).unwrap_or(declared));
    let mut held = returned;
    while let Type::Path(path) = held
        && let Some(last) =
            path.path.segments.last().filter(|last| last.ident == "Pin" || last.ident == "Box")
    {
        held = peeled(first_type(&last.arguments)?);
    }
    // A future in the result of another future, or beside an error, is a value.
    let is_returned = signature.asyncness.is_none() && ok_type(declared).is_none();
    let is_hidden = is_opaque(held, &STREAMS) || is_returned && is_opaque(held, &FUTURES);
    (is_hidden && matches!(returned, Type::Path(_))).then_some(held)
}

fn first_type(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// `impl … + Name + …`, of one of the names.
fn is_opaque(declared: &Type, names: &[&str]) -> bool {
    matches!(declared, Type::ImplTrait(opaque) if opaque.bounds.iter().any(|bound| is_trait(bound, names)))
}

fn is_trait(bound: &TypeParamBound, names: &[&str]) -> bool {
    let TypeParamBound::Trait(bound) = bound else { return false };
    bound.path.segments.last().is_some_and(|last| names.iter().any(|name| last.ident == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(signature: &str) -> Shape {
        Shape::of_signature(&syn::parse_str(signature).unwrap(), false, false)
    }

    const fn stream(is_boxed: bool, is_in_result: bool) -> Stream {
        Stream { is_boxed, is_in_result }
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
        assert_eq!(shape(result), Shape::Opened(stream(true, true)));
        assert_eq!(shape("fn f() -> impl futures::TryFuture<Ok = u8, Error = E> + 'a"), Shape::Future);
        assert_eq!(shape("fn f() -> (impl Send + FusedFuture<Output = u8>)"), Shape::Future);
        assert_eq!(shape("fn f() -> impl IntoFuture<Output = u8>"), Shape::IntoFuture);
        assert_eq!(shape("fn f() -> impl FusedStream<Item = u8>"), Shape::Stream(stream(false, false)));
        assert_eq!(shape("async fn f() -> (impl TryStream)"), Shape::AsyncStream(stream(false, false)));
        assert_eq!(shape("fn f() -> Result<(impl TryStream), E>"), Shape::Opened(stream(false, true)));
        assert_eq!(shape("fn f() -> Box<(dyn TryStream + Send)>"), Shape::Stream(stream(true, false)));
        assert_eq!(shape("fn f() -> impl Iterator<Item = u8>"), Shape::Value);
        assert_eq!(shape("fn f() -> Boxed!(u8)"), Shape::ByType);
        assert_eq!(shape("async fn f() -> Boxed!(u8)"), Shape::AsyncStream(stream(true, false)));
        assert_eq!(shape("fn f() -> Result<Boxed!(u8), E>"), Shape::Opened(stream(true, true)));
        let boxed = "async fn f() -> Result<Pin<Box<dyn Stream<Item = u8> + Send>>, Error>";
        assert_eq!(shape(boxed), Shape::AsyncStream(stream(true, true)));
    }
}
