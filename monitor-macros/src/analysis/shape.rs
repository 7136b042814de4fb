//! How a function is tracked, which depends on what it returns: that decides when its call ends.

use syn::{Attribute, ReturnType, Signature, Type};

use super::body::{contains_await, may_return_early};
use super::parameters::parameters_have_no_user_drop;
use super::return_type::{
    FUTURE_TRAITS, StreamType, cannot_return_error, contains_opaque, find_stream, find_stream_alias,
    find_stream_macro, is_box_by_name, is_impl_of, is_value_type, returns_borrow, returns_opaque,
    ungroup_type,
};
use crate::parse::function::Function;

/// How a function is tracked, and how long.
///
/// A closure around the body (`Value`, `ByType`) is always right. It hides the body from lints, and the caller from
/// `#[track_caller]`, so the body stays in place (`InPlace`, `Guarded`) where that makes no difference to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Until its body, a closure, returns.
    Value,
    /// Until its body ends, which stays in place: it is judged by its value, so it cannot return early.
    InPlace,
    /// Until its body ends, which stays in place and cannot return an error: the guard that ends the call needs no value.
    Guarded,
    /// Until the end of a boxed future or stream, or of the body: only the compiler knows which of them the return type is.
    ByType,
    /// `async fn`: until its future is ready.
    Async,
    /// `-> impl Future`: until the future is ready.
    Future,
    /// `-> impl IntoFuture`: until the future that it becomes is ready.
    IntoFuture,
    /// Until the stream ends.
    Stream(StreamType),
    /// `async fn`: until the end of the stream that it returns.
    AsyncStream(StreamType),
    /// Until the end of the stream in its `Ok`, or until it returns an `Err`.
    TryStream(StreamType),
}

/// The uses that the end of a call has for its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// `error_if` or `ok_if` judges it.
    pub(crate) has_predicate: bool,
    /// The usage of a model is read from it, or its text is recorded.
    pub(crate) reads_result: bool,
}

impl Shape {
    /// Chooses the shape. `declares_stream` is the option `stream`.
    pub(crate) fn of_function(function: &Function, declares_stream: bool, needs: Needs) -> Self {
        let shape = Self::of_signature(&function.signature, declares_stream, needs.has_predicate);
        // A guard sees no value.
        let needs_value = needs.has_predicate || needs.reads_result;
        let tracks_caller = has_track_caller(function);
        // The destructors of the parameters run inside the call, for which a closure has to own them. If nobody can see them run,
        // no closure is needed.
        let may_stay_in_place = tracks_caller || parameters_have_no_user_drop(&function.signature);
        // A returned borrow stays in a closure: there, the compiler explains best why it does not live long enough.
        let is_in_place = || {
            let output = &function.signature.output;
            may_stay_in_place
                && !may_return_early(&function.body)
                && (tracks_caller || !returns_borrow(output))
        };
        match (shape, &function.signature.output) {
            // The bounds of an `impl Trait` reach a body in place only: from `impl Fn(&str)`, a closure infers its argument's type.
            (Self::Value, output) if !needs_value && returns_opaque(output) => Self::Guarded,
            (Self::Value, output)
                if !needs_value
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

    fn of_signature(signature: &Signature, declares_stream: bool, has_predicate: bool) -> Self {
        let declared = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, declared) => Some(&**declared),
        };
        // The compiler finds out whether a type macro is a stream. A predicate takes either the value or an item, so with one, the
        // user has to declare the stream.
        let is_stream_macro =
            !has_predicate && declared.is_some_and(|declared| find_stream_macro(declared).is_some());
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

/// Attributes of the compiler, and the first words of those of its tools. None of them changes the return type.
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

/// Whether another crate's attribute is still to be expanded, which may change the return type: `culpa::throws` makes it a
/// `Result`.
///
/// A guard would then count each error as a success. The other shapes name the declared type, so they do not compile.
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
    fn the_signature_decides_when_a_call_ends() {
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
