//! What the attributes' emitted code names, and nothing else. No part of the public API: it may change in any release.

pub use crate::__monitor_site as site;
pub use crate::__monitor_verdict as verdict;
pub use crate::call::{
    Begun, Call, Entry, ErrorLog, Fault, HandOn, ItemJudge, Judged, Opening, Outcome, Probe, Rebox, Returned,
    Site, Tracked, TrackedStream, Verdict, ViaAny, ViaAsError, ViaAsSyncError, ViaBoxedFuture,
    ViaBoxedStream, ViaClassify, ViaClassifyOk, ViaDebug, ViaDisplay, ViaError, ViaResult, ViaReturn,
    ViaValue, begin, error_if, hand_on, hand_on_boxed, hand_on_ok, ok_if, track, track_boxed_stream,
    track_future, track_returned_future, track_stream, track_until_stream, without_fields,
};
pub use crate::registry::CallKind;
pub use tracing::field::{debug, display};
pub use tracing::{Level, Metadata, Span, Value};
pub use tracing_core::field::FieldSet;
pub use tracing_core::identify_callsite;
pub use tracing_core::metadata::Kind;

/// What a function declared to return `!` returns to the runtime.
pub use core::convert::Infallible as Never;

/// Stands for the value of a `return` that is never reached, so that the body's type is known before the body.
pub fn never_returned<R>() -> R {
    unreachable!("only ever written behind `if false`")
}

/// Mentions a parameter, which makes the body capture it here.
#[inline]
pub fn captured<T: ?Sized>(_: &T) {}

/// A function's [`Site`] in a static of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __monitor_site {
    ($kind:ident, $id:expr, $operation:expr, $errors:ident, $level:ident, $name:expr, [$($field:expr),*]) => {{
        static SITE: $crate::private::Site = $crate::private::Site::new(
            $crate::private::CallKind::$kind,
            $id,
            $operation,
            $crate::private::ErrorLog::$errors,
            $crate::private::Metadata::new(
                $name,
                ::core::module_path!(),
                $crate::private::Level::$level,
                ::core::option::Option::Some(::core::file!()),
                ::core::option::Option::Some(::core::line!()),
                ::core::option::Option::Some(::core::module_path!()),
                $crate::private::FieldSet::new(&[$($field),*], $crate::private::identify_callsite!(&SITE)),
                $crate::private::Kind::SPAN,
            ),
        );
        &SITE
    }};
}

/// What a result says of its call, by the best traits it has.
#[doc(hidden)]
#[macro_export]
macro_rules! __monitor_verdict {
    ($result:ident) => {{
        #[allow(unused_imports)]
        use $crate::private::{ViaClassify as _, ViaClassifyOk as _, ViaResult as _, ViaReturn as _};
        $crate::private::verdict!($result, (&&&&$crate::private::Probe($result)).outcome())
    }};
    ($result:ident, $outcome:expr) => {{
        #[allow(unused_imports)]
        use $crate::private::{
            ViaAny as _, ViaAsError as _, ViaAsSyncError as _, ViaDebug as _, ViaDisplay as _, ViaError as _,
        };
        $crate::private::Verdict { outcome: $outcome, fault: (&&&&&&$crate::private::Probe($result)).fault() }
    }};
}
