//! Futures and streams whose output or item type the function declares.
//!
//! The bound is on the use of the wrapper, not on its constructor. A body of another type thus causes one error, at the
//! return type, as it would without the attribute.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::future::FusedFuture;
use pin_project_lite::pin_project;

use super::Verdict;
use super::future::Tracked;
use super::guard::Call;
use super::stream::{ItemJudge, TrackedStream};

pin_project! {
    /// A tracked future with the declared output `T`.
    #[derive(Debug)]
    pub struct TypedTracked<T, F, J> {
        #[pin]
        tracked: Tracked<F, J>,
        promise: PhantomData<fn() -> T>,
    }
}

/// Tracks the future that a function returns. Making it is not part of the call, but happens in its span.
#[inline]
pub fn track_typed_future<T, F, J>(call: Call, make: impl FnOnce() -> F, judge: J) -> TypedTracked<T, F, J>
where
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    TypedTracked { tracked: Tracked::new(call, make, judge), promise: PhantomData }
}

impl<T, F, J> Future for TypedTracked<T, F, J>
where
    F: Future<Output = T>,
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.project().tracked.poll(cx)
    }
}

impl<T, F, J> FusedFuture for TypedTracked<T, F, J>
where
    F: FusedFuture<Output = T>,
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    fn is_terminated(&self) -> bool {
        self.tracked.is_terminated()
    }
}

/// A value that becomes a tracked future when it is awaited.
#[derive(Debug)]
pub struct Becoming<T, I, J> {
    call: Call,
    future: I,
    judge: J,
    promise: PhantomData<fn() -> T>,
}

/// Tracks the future that a function's value becomes. Making the value and the future is not part of the call, but
/// happens in its span.
#[inline]
pub fn track_into_future<T, I, J>(call: Call, make: impl FnOnce() -> I, judge: J) -> Becoming<T, I, J>
where
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    let future = call.in_span(make);
    Becoming { call, future, judge, promise: PhantomData }
}

impl<T, I, J> IntoFuture for Becoming<T, I, J>
where
    I: IntoFuture<Output = T>,
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    type Output = T;
    type IntoFuture = Tracked<I::IntoFuture, J>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { call, future, judge, .. } = self;
        Tracked::new(call, || future.into_future(), judge)
    }
}

/// Tracks the stream that a function returns. Making it is not part of the call, but happens in its span.
#[inline]
pub fn track_typed_stream<T, S>(
    call: Call,
    make: impl FnOnce() -> S,
    judge: ItemJudge<T>,
) -> TrackedStream<S, T> {
    TrackedStream::new(call, make, judge)
}
