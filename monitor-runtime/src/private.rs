//! The items that code emitted by the attributes names, and no others. Not part of the public API: they may change in
//! any release.

pub use crate::__monitor_site as site;
pub use crate::__monitor_verdict as verdict;
pub use crate::call::{
    Becoming, Begun, Budget, Call, ClassifyBy, ContentOf, Contents, ErrorLog, Fault, Field, Guard, Id,
    ItemJudge, PendingSpan, PollAsCall, Rebox, Recordable, Repeatable, Repeater, ReplyIn, Report, Returned,
    Settings, Site, State, Tracked, TrackedStream, TypedTracked, Verdict, WholeValue, begin, classify,
    content, debug, display, error_if, guard, hand_on, hand_on_boxed, hand_on_ok, is_stream, of_model, ok_if,
    record, record_displayed_result, record_result, repeats, reply, reply_of_error, report, settle,
    settle_by, track, track_boxed_stream, track_into_future, track_opened, track_pinned,
    track_returned_future, track_stream, track_typed_future, track_typed_stream, usage_by, value,
    without_fields,
};
pub use crate::cells::objective::Latency;
pub use crate::cells::objective::Objective;
pub use crate::cells::objective::Share;
pub use crate::families::CallKind;
pub use crate::families::Outcome;
pub use core::pin::pin;
pub use tracing::{Level, Span};

/// The ways to track what a function returns.
pub mod returned {
    pub use crate::call::{ViaBoxedFuture, ViaBoxedStream, ViaValue};
}

/// The ways to go on with the call of an asynchronous function.
pub mod handed {
    pub use crate::call::{ViaHandOn, ViaSettle};
}

/// The type that a function declared to return `!` returns to the runtime.
pub use core::convert::Infallible as Never;

/// Returns the type of a `return` that is never reached, so that the compiler knows the type of the body in advance.
pub fn never_returned<R>() -> R {
    unreachable!("emitted only in branches that are never taken")
}

/// Tells the compiler that a body runs only once, so that its result may borrow from values that it owns.
#[inline]
pub fn once<R, F: FnOnce() -> R>(body: F) -> F {
    body
}

/// Mentions a parameter, so that the body captures it at this place.
#[inline]
pub fn captured<T: ?Sized>(_: &T) {}

/// Has the calls inside budgeted agents counted from now on, and returns the site of such an agent.
#[cfg(feature = "runs")]
#[inline]
pub fn metered(site: &'static Site) -> &'static Site {
    crate::run::meter();
    site
}

/// A function's [`Site`] in a static, with the settings in which it differs from others of its kind.
///
/// It is a struct literal and not a `const fn`, since the compiler evaluates it for each annotated function.
#[doc(hidden)]
#[macro_export]
macro_rules! __monitor_site {
    ($kind:ident, $id:expr, $name:expr $(, $setting:ident = $value:expr)*) => {{
        static SITE: $crate::private::Site = $crate::private::Site {
            settings: $crate::__monitor_settings!($kind $(, $setting = $value)*),
            id: $id,
            name: $name,
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
            state: $crate::private::State::NEW,
        };
        &SITE
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __monitor_settings {
    ($kind:ident) => {
        $crate::private::Settings::$kind
    };
    ($kind:ident $(, $setting:ident = $value:expr)+) => {
        $crate::private::Settings { $($setting: $value,)+ ..$crate::private::Settings::$kind }
    };
}

/// The outcome of a call and its error, from its result.
#[doc(hidden)]
#[macro_export]
macro_rules! __monitor_verdict {
    ($result:ident) => {
        $crate::private::classify($result).monitor_classify($result)
    };
    ($result:ident, $outcome:expr) => {
        $crate::private::Verdict {
            outcome: $outcome,
            fault: $crate::private::classify($result).monitor_fault($result),
        }
    };
}
