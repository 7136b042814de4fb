//! Boxed futures and streams, which are tracked without changing their type.

use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;

use futures_core::Stream;
use futures_core::future::FusedFuture;
use futures_core::stream::FusedStream;

use super::Verdict;
use super::future::Tracked;
use super::guard::Call;
use super::stream::{ItemJudge, TrackedStream, hand_on, track_stream};

/// A boxed future with its judge. The judge is a function pointer, since a closure's type would include the lifetimes
/// of the enclosing function.
pub(super) type TrackedFuture<F, T> = Tracked<F, for<'r> fn(&'r T) -> Verdict<'r>>;

/// A boxed `dyn Future`.
pub trait ReboxFuture: Sized {
    /// The output of the future.
    type Given;

    /// The pinned box.
    type Pinned: Future<Output = Self::Given>;

    /// Pins the box.
    fn pinned(self) -> Self::Pinned;

    /// Boxes the tracked future.
    fn rebox(tracked: TrackedFuture<Self::Pinned, Self::Given>) -> Self;
}

/// A boxed `dyn Stream`.
#[diagnostic::on_unimplemented(
    message = "`stream` needs a boxed `dyn Stream` as the return type or its `Ok`, and `{Self}` is not one; remove `stream` here",
    label = "not a boxed stream"
)]
pub trait Rebox: Sized {
    /// The item of the stream.
    type Given;

    /// The pinned box.
    type Pinned: Stream<Item = Self::Given>;

    /// Pins the box.
    fn pinned(self) -> Self::Pinned;

    /// Boxes the tracked stream.
    fn rebox(tracked: TrackedStream<Self::Pinned, Self::Given>) -> Self;
}

/// Implements the trait for boxes of a `dyn` type, for every set of auto traits.
macro_rules! rebox {
    ($rebox:ident, $tracked:ident, $of:tt) => {
        rebox!(@shown $rebox, $tracked, $of, []);
        rebox!(@shown $rebox, $tracked, $of, [+ Send]);
        rebox!(@shown $rebox, $tracked, $of, [+ Sync]);
        rebox!(@shown $rebox, $tracked, $of, [+ Send + Sync]);
        rebox!(@hidden $rebox, $tracked, $of, [+ UnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ UnwindSafe + RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Send + UnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Send + RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Send + UnwindSafe + RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Sync + UnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Sync + RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Sync + UnwindSafe + RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Send + Sync + UnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Send + Sync + RefUnwindSafe]);
        rebox!(@hidden $rebox, $tracked, $of, [+ Send + Sync + UnwindSafe + RefUnwindSafe]);
    };
    (@hidden $rebox:ident, $tracked:ident, $of:tt, [$($auto:tt)*]) => {
        rebox!(@pin [#[diagnostic::do_not_recommend]], $rebox, $tracked, $of, [$($auto)*]);
        rebox!(@pin [#[diagnostic::do_not_recommend]], $rebox, $tracked, $of, [$($auto)* + Unpin]);
        rebox!(@box [#[diagnostic::do_not_recommend]], $rebox, $tracked, $of, [$($auto)*]);
        rebox!(@box [#[diagnostic::do_not_recommend]], $rebox, $tracked, $of, [$($auto)* + Unpin]);
    };
    (@shown $rebox:ident, $tracked:ident, [FusedStream $($of:tt)*], [$($auto:tt)*]) => {
        rebox!(@pin [#[diagnostic::do_not_recommend]], $rebox, $tracked, [FusedStream $($of)*], [$($auto)*]);
        rebox!(@pin [#[diagnostic::do_not_recommend]], $rebox, $tracked, [FusedStream $($of)*], [$($auto)* + Unpin]);
        rebox!(@box [#[diagnostic::do_not_recommend]], $rebox, $tracked, [FusedStream $($of)*], [$($auto)*]);
        rebox!(@box [#[diagnostic::do_not_recommend]], $rebox, $tracked, [FusedStream $($of)*], [$($auto)* + Unpin]);
    };
    (@shown $rebox:ident, $tracked:ident, $of:tt, [$($auto:tt)*]) => {
        rebox!(@pin [], $rebox, $tracked, $of, [$($auto)*]);
        rebox!(@box [], $rebox, $tracked, $of, [$($auto)* + Unpin]);
        // In the first type `Unpin` is superfluous, in the second it is missing. Code with such types exists, but
        // compiler messages should not suggest them.
        rebox!(@pin [#[diagnostic::do_not_recommend]], $rebox, $tracked, $of, [$($auto)* + Unpin]);
        rebox!(@box [#[diagnostic::do_not_recommend]], $rebox, $tracked, $of, [$($auto)*]);
    };
    (@pin [$($hint:tt)*], $rebox:ident, $tracked:ident, [$($of:tt)*], [$($auto:tt)*]) => {
        $($hint)*
        impl<'a, T: 'a> $rebox for Pin<Box<dyn $($of)* $($auto)* + 'a>> {
            type Given = T;
            type Pinned = Self;

            fn pinned(self) -> Self {
                self
            }

            fn rebox(tracked: $tracked<Self, T>) -> Self {
                Box::pin(tracked)
            }
        }
    };
    (@box [$($hint:tt)*], $rebox:ident, $tracked:ident, [$($of:tt)*], [$($auto:tt)*]) => {
        $($hint)*
        impl<'a, T: 'a> $rebox for Box<dyn $($of)* $($auto)* + 'a> {
            type Given = T;
            type Pinned = Pin<Self>;

            fn pinned(self) -> Pin<Self> {
                Self::into_pin(self)
            }

            fn rebox(tracked: $tracked<Pin<Self>, T>) -> Self {
                Box::new(tracked)
            }
        }
    };
}

rebox!(ReboxFuture, TrackedFuture, [Future<Output = T>]);
rebox!(ReboxFuture, TrackedFuture, [FusedFuture<Output = T>]);
rebox!(Rebox, TrackedStream, [Stream<Item = T>]);
rebox!(Rebox, TrackedStream, [FusedStream<Item = T>]);

/// Tracks the boxed stream that a function returns.
#[inline]
pub fn track_boxed_stream<S: Rebox>(call: Call, make: impl FnOnce() -> S, judge: ItemJudge<S::Given>) -> S {
    S::rebox(track_stream(call, || make().pinned(), judge))
}

/// Continues the call in a boxed stream.
#[inline]
pub fn hand_on_boxed<S: Rebox>(call: Call, stream: S, judge: ItemJudge<S::Given>) -> S {
    S::rebox(hand_on(call, stream.pinned(), judge))
}
