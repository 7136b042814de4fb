//! What a function gives its caller, which decides when its call ends.

use syn::visit::Visit;
use syn::{GenericArgument, PathArguments, ReturnType, Signature, Type, TypeParamBound};

use crate::early::leaves_early;
use crate::function::Function;

/// How a function is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Until its body returns.
    Value,
    /// Until its body ends, which is left in its place: in a closure `#[track_caller]` would lose the caller.
    InPlace,
    /// Until its body ends, which is left in its place and cannot end in an error; so a guard is enough.
    Guarded,
    /// As its return type turns out to be: a boxed future, a boxed stream, or a value.
    ByType,
    /// `async fn`: until its future is ready.
    Async,
    /// `-> impl Future`: until the future is ready.
    Future,
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

/// Types that are neither a future nor a stream, so that the compiler need not be asked.
const VALUES: [&str; 23] = [
    "Result", "Option", "Self", "String", "Vec", "Arc", "Rc", "HashMap", "BTreeMap", "Duration", "Cow",
    "bool", "char", "u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize", "f32", "f64",
];

impl Shape {
    /// Reads the signature; `stream` is what the user says where an alias hides it.
    pub(crate) fn of(function: &Function, stream: bool, is_judged: bool) -> Self {
        let shape = Self::of_signature(&function.signature, stream);
        let is_caller_tracked = is_track_caller(function);
        match (shape, &function.signature.output) {
            // What such a type promises of its value, as of a closure's arguments, reaches a body in its place only.
            (Self::Value, ReturnType::Type(_, declared)) if !is_judged && is_promise(declared) => {
                Self::Guarded
            }
            (Self::Value, output) if !is_judged && is_caller_tracked && is_never_an_error(output) => {
                Self::Guarded
            }
            (Self::Value, _) if is_caller_tracked && !leaves_early(&function.body) => Self::InPlace,
            (Self::ByType, output)
                if is_caller_tracked && !stream && !is_boxed(output) && !leaves_early(&function.body) =>
            {
                Self::InPlace
            }
            _ => shape,
        }
    }

    fn of_signature(signature: &Signature, stream: bool) -> Self {
        let declared = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, declared) => Some(&**declared),
        };
        match (signature.asyncness.is_some(), declared) {
            (true, Some(declared)) => stream_in(declared, stream).map_or(Self::Async, Self::AsyncStream),
            (true, None) => Self::Async,
            (false, Some(declared)) => Self::of_plain(declared, stream),
            (false, None) => Self::Value,
        }
    }

    fn of_plain(declared: &Type, stream: bool) -> Self {
        match stream_in(declared, stream) {
            Some(opened @ Stream { is_in_result: true, .. }) => return Self::Opened(opened),
            Some(_) if said_stream(declared).is_some() && !holds_opaque(declared) => return Self::ByType,
            Some(stream) => return Self::Stream(stream),
            None => {}
        }
        match declared {
            _ if is_opaque(declared, "Future") => Self::Future,
            Type::Path(_) if is_value(declared) || holds_opaque(declared) => Self::Value,
            Type::Path(_) => Self::ByType,
            Type::Group(group) => Self::of_plain(&group.elem, stream),
            Type::Paren(paren) => Self::of_plain(&paren.elem, stream),
            _ => Self::Value,
        }
    }
}

/// `impl Trait`, alone or in a tuple, neither of which is an error.
fn is_promise(declared: &Type) -> bool {
    match declared {
        Type::ImplTrait(_) => true,
        Type::Tuple(tuple) => tuple.elems.iter().any(is_promise),
        _ => false,
    }
}

fn is_track_caller(function: &Function) -> bool {
    function.attributes.iter().any(|attribute| attribute.path().is_ident("track_caller"))
}

/// Whether the type is a box by its name, and so may hold a future or a stream.
fn is_boxed(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    let Type::Path(path) = &**declared else { return false };
    path.path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        ["Pin", "Box"].contains(&name.as_str()) || name.ends_with("Future") || name.ends_with("Stream")
    })
}

/// Whether the type is known to be none that could be an error.
fn is_never_an_error(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, declared) => {
            is_value(declared)
                && !matches!(&**declared, Type::Path(path) if path.path.is_ident("Self"))
                && ok_type(declared).is_none()
        }
    }
}

/// Whether the type may be a future, so that an `async` block which ends in it looks like one that lacks an `.await`.
pub(crate) fn may_be_awaited(output: &ReturnType) -> bool {
    let ReturnType::Type(_, declared) = output else { return false };
    matches!(**declared, Type::Path(_) | Type::ImplTrait(_))
        && !is_value(declared)
        && ok_type(declared).is_none()
}

/// The type that a future gives or a stream's items have, as the `impl Trait` or the `dyn Trait` says.
pub(crate) fn promised(declared: &Type) -> Option<Type> {
    let Type::ImplTrait(opaque) = declared else { return None };
    opaque.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(promised)
                if promised.ident == "Output" || promised.ident == "Item" =>
            {
                Some(promised.ty.clone())
            }
            _ => None,
        })
    })
}

/// A type that only the compiler can name cannot be asked what it is.
pub(crate) fn holds_opaque(declared: &Type) -> bool {
    struct Found(bool);
    impl<'ast> Visit<'ast> for Found {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut found = Found(false);
    found.visit_type(declared);
    found.0
}

fn is_value(declared: &Type) -> bool {
    let Type::Path(path) = declared else { return false };
    path.path.segments.last().is_some_and(|last| VALUES.iter().any(|value| last.ident == value))
}

/// The stream that the type shows, or that the user says it holds.
fn stream_in(declared: &Type, said: bool) -> Option<Stream> {
    if is_opaque(declared, "Stream") {
        return Some(Stream { is_boxed: false, is_in_result: false });
    }
    if let Some(held) = ok_type(declared) {
        return stream_in(held, said).map(|stream| Stream { is_in_result: true, ..stream });
    }
    let is_boxed = is_boxed_stream(declared) || said && said_stream(declared).is_some();
    is_boxed.then_some(Stream { is_boxed, is_in_result: false })
}

/// What can be a stream only if it is an alias of one: the type itself or, of a `Result`, its `Ok`.
pub(crate) fn said_stream(declared: &Type) -> Option<&Type> {
    let said = ok_type(declared).unwrap_or(declared);
    let may_be_alias = matches!(said, Type::Path(_)) && !is_value(said) && !is_boxed_stream(said);
    may_be_alias.then_some(said)
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
        "Pin" | "Box" => first_type(&last.arguments).is_some_and(|inner| match inner {
            Type::TraitObject(object) => object.bounds.iter().any(|bound| is_trait(bound, "Stream")),
            inner => is_boxed_stream(inner),
        }),
        _ => false,
    }
}

fn first_type(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// `impl … + Name + …`
fn is_opaque(declared: &Type, name: &str) -> bool {
    matches!(declared, Type::ImplTrait(opaque) if opaque.bounds.iter().any(|bound| is_trait(bound, name)))
}

fn is_trait(bound: &TypeParamBound, name: &str) -> bool {
    matches!(bound, TypeParamBound::Trait(bound) if bound.path.segments.last().is_some_and(|last| last.ident == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(signature: &str) -> Shape {
        Shape::of_signature(&syn::parse_str(signature).unwrap(), false)
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
        let boxed = "async fn f() -> Result<Pin<Box<dyn Stream<Item = u8> + Send>>, Error>";
        assert_eq!(shape(boxed), Shape::AsyncStream(stream(true, true)));
    }
}
