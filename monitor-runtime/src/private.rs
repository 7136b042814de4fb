//! What the attributes' emitted code names, and nothing else. No part of the public API: it may change in any release.

pub use crate::__monitor_site as site;
pub use crate::__monitor_verdict as verdict;
pub use crate::call::{
    Begun, Call, ErrorLog, Fault, Field, Guard, HandOn, Id, ItemJudge, Judged, Opening, Outcome, Probe,
    Promised, Rebox, Returned, Site, Tracked, TrackedStream, Verdict, begin, debug, display, error_if, guard,
    hand_on, hand_on_boxed, hand_on_ok, is_stream, ok_if, track, track_boxed_stream, track_future,
    track_promised_future, track_promised_stream, track_returned_future, track_stream, track_until_stream,
    value, without_fields,
};
pub use crate::registry::CallKind;
pub use tracing::{Level, Metadata, Span};
pub use tracing_core::field::FieldSet;
pub use tracing_core::identify_callsite;
pub use tracing_core::metadata::Kind;

/// The ways to judge a result.
pub mod outcome {
    pub use crate::call::{ViaClassify, ViaClassifyOk, ViaResult, ViaReturn};
}

/// The ways to show a result's error.
pub mod fault {
    pub use crate::call::{
        ViaAny, ViaAsError, ViaAsSendError, ViaAsSyncError, ViaDebug, ViaDisplay, ViaError,
    };
}

/// The ways to track what a function returns.
pub mod returned {
    pub use crate::call::{ViaBoxedFuture, ViaBoxedStream, ViaValue};
}

/// The ways to go on with the call of an asynchronous function.
pub mod handed {
    pub use crate::call::{ViaHandOn, ViaSettle};
}

/// What a function declared to return `!` returns to the runtime.
pub use core::convert::Infallible as Never;

/// Stands for the value of a `return` that is never reached, so that the body's type is known before the body.
pub fn never_returned<R>() -> R {
    unreachable!("emitted in branches that are never taken")
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
        // Of each glob exactly one trait is used, so that no lint finds an unused import.
        use $crate::private::outcome::*;
        $crate::private::verdict!($result, (&&&&$crate::private::Probe($result)).monitor_outcome())
    }};
    ($result:ident, $outcome:expr) => {{
        let outcome = $outcome;
        {
            use $crate::private::fault::*;
            $crate::private::Verdict {
                outcome,
                fault: (&&&&&&&$crate::private::Probe($result)).monitor_fault(),
            }
        }
    }};
}
