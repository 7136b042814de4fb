//! Functions whose return type may be an alias, tracked by the type behind the alias.

use std::marker::PhantomData;

use super::Verdict;
use super::boxed::{Rebox, ReboxFuture};
use super::boxed::{hand_on_boxed, track_boxed_stream};
use super::future::track_returned_future;
use super::guard::{Call, track};
use super::stream::ItemJudge;

// Judges that end up inside a box are function pointers, since a closure's type would include the lifetimes of the
// enclosing function.

/// A return type. Emitted code chooses the tracking by it: `(&&&Returned::by(&body)).monitor_track(…)`.
#[derive(Debug)]
pub struct Returned<R>(PhantomData<fn() -> R>);

impl<R> Returned<R> {
    /// The only value of this type.
    pub const TYPE: Self = Self(PhantomData);

    /// The return type of `body`. Inferred from the body: if emitted code named the type, an unknown type would be
    /// reported twice.
    #[inline]
    pub const fn by(_: &impl FnOnce() -> R) -> Self {
        Self::TYPE
    }
}

/// Tracks a function that returns a boxed future.
pub trait ViaBoxedFuture {
    /// The boxed future.
    type Boxed: ReboxFuture;

    /// Tracks the future, but not its making.
    fn monitor_track(
        &self,
        call: Call,
        make: impl FnOnce() -> Self::Boxed,
        judge: for<'r> fn(&'r <Self::Boxed as ReboxFuture>::Given) -> Verdict<'r>,
    ) -> Self::Boxed;
}

/// Tracks a function that returns a boxed stream.
pub trait ViaBoxedStream {
    /// The boxed stream.
    type Boxed: Rebox;

    /// Tracks the stream, but not its making.
    fn monitor_track(
        &self,
        call: Call,
        make: impl FnOnce() -> Self::Boxed,
        judge: ItemJudge<<Self::Boxed as Rebox>::Given>,
    ) -> Self::Boxed;
}

/// Tracks a function that returns any other type.
pub trait ViaValue {
    /// The type that it returns.
    type Value;

    /// Tracks the function's body.
    fn monitor_track<J>(&self, call: Call, body: impl FnOnce() -> Self::Value, judge: J) -> Self::Value
    where
        J: for<'r> FnOnce(&'r Self::Value) -> Verdict<'r>;
}

impl<F: ReboxFuture> ViaBoxedFuture for &&Returned<F> {
    type Boxed = F;

    fn monitor_track(
        &self,
        call: Call,
        make: impl FnOnce() -> F,
        judge: for<'r> fn(&'r F::Given) -> Verdict<'r>,
    ) -> F {
        F::rebox(track_returned_future(call, || make().pinned(), judge))
    }
}

impl<S: Rebox> ViaBoxedStream for &Returned<S> {
    type Boxed = S;

    fn monitor_track(&self, call: Call, make: impl FnOnce() -> S, judge: ItemJudge<S::Given>) -> S {
        track_boxed_stream(call, make, judge)
    }
}

impl<R> ViaValue for Returned<R> {
    type Value = R;

    fn monitor_track<J>(&self, call: Call, body: impl FnOnce() -> R, judge: J) -> R
    where
        J: for<'r> FnOnce(&'r R) -> Verdict<'r>,
    {
        track(call, body, judge)
    }
}

/// Continues the call in a value that the option `stream` declares to be a boxed stream, and that is one.
pub trait ViaHandOn {
    /// The boxed stream.
    type Boxed: Rebox;

    /// Continues the call in the stream.
    fn monitor_hand_on(
        &self,
        call: Call,
        stream: Self::Boxed,
        judge: ItemJudge<<Self::Boxed as Rebox>::Given>,
    ) -> Self::Boxed;
}

/// Ends the call, if the value is not a boxed stream. [`is_stream`] has already produced the error; this trait exists
/// to suppress a second one.
pub trait ViaSettle {
    /// The type of the value.
    type Value;

    /// Ends the call.
    fn monitor_hand_on<J>(&self, call: Call, value: Self::Value, judge: J) -> Self::Value
    where
        J: for<'r> FnOnce(&'r Self::Value) -> Verdict<'r>;
}

impl<S: Rebox> ViaHandOn for &Returned<S> {
    type Boxed = S;

    fn monitor_hand_on(&self, call: Call, stream: S, judge: ItemJudge<S::Given>) -> S {
        hand_on_boxed(call, stream, judge)
    }
}

impl<R> ViaSettle for Returned<R> {
    type Value = R;

    fn monitor_hand_on<J>(&self, call: Call, value: R, judge: J) -> R
    where
        J: for<'r> FnOnce(&'r R) -> Verdict<'r>,
    {
        call.end_as(&judge(&value));
        value
    }
}

/// Fails to compile unless the type under the option `stream` is a boxed stream.
pub const fn is_stream<S: Rebox>() {}
