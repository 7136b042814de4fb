//! Functions whose return type may be an alias: tracked as what the alias stands for.

use std::marker::PhantomData;

use super::Verdict;
use super::boxed::{Rebox, ReboxFuture};
use super::boxed::{hand_on_boxed, track_boxed_stream};
use super::future::track_returned_future;
use super::guard::{Call, track};
use super::stream::ItemJudge;

// A judge is a function pointer where it ends up inside a box: a closure's type would drag in the lifetimes of the
// function around it.

/// A return type, by which emitted code chooses how to track: `(&&&Returned::by(&body)).monitor_track(…)`.
#[derive(Debug)]
pub struct Returned<R>(PhantomData<fn() -> R>);

impl<R> Returned<R> {
    /// The only value.
    pub const TYPE: Self = Self(PhantomData);

    /// That of the body, which says it already: said once more, a type that does not exist would be one error more.
    #[inline]
    pub const fn by(_: &impl FnOnce() -> R) -> Self {
        Self::TYPE
    }
}

/// The function returns a boxed future.
pub trait ViaBoxedFuture {
    /// The boxed future.
    type Boxed: ReboxFuture;

    /// Tracks the future, not its making.
    fn monitor_track(
        &self,
        call: Call,
        make: impl FnOnce() -> Self::Boxed,
        judge: for<'r> fn(&'r <Self::Boxed as ReboxFuture>::Given) -> Verdict<'r>,
    ) -> Self::Boxed;
}

/// The function returns a boxed stream.
pub trait ViaBoxedStream {
    /// The boxed stream.
    type Boxed: Rebox;

    /// Tracks the stream, not its making.
    fn monitor_track(
        &self,
        call: Call,
        make: impl FnOnce() -> Self::Boxed,
        judge: ItemJudge<<Self::Boxed as Rebox>::Given>,
    ) -> Self::Boxed;
}

/// The function returns anything else.
pub trait ViaValue {
    /// What it returns.
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

/// What an option says to be a boxed stream is one: the call goes on in it.
pub trait ViaHandOn {
    /// The boxed stream.
    type Boxed: Rebox;

    /// Goes on with the call.
    fn monitor_hand_on(
        &self,
        call: Call,
        stream: Self::Boxed,
        judge: ItemJudge<<Self::Boxed as Rebox>::Given>,
    ) -> Self::Boxed;
}

/// It is none, which [`is_stream`] has refused already: whatever else the compiler said of it would be one error too many.
pub trait ViaSettle {
    /// What is there instead.
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

/// Refuses what the option `stream` stands on, unless it is a boxed stream.
pub const fn is_stream<S: Rebox>() {}
