//! Detects that the client disconnects while its request's body is read.

use std::any::Any;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http::Request;
use http_body::Body as _;

use super::watched_body::{PollFrame, Watch, WatchedBody};

/// Set once the connection has ended in the middle of the request's body.
#[derive(Clone, Debug, Default)]
pub(super) struct UploadAborted(Arc<AtomicBool>);

impl UploadAborted {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Watch<Body> for UploadAborted {
    type Error = axum::Error;

    fn poll_frame(&mut self, body: Pin<&mut Body>, cx: &mut Context<'_>) -> PollFrame<Bytes, axum::Error> {
        let polled = ready!(body.poll_frame(cx));
        if matches!(&polled, Some(Err(error)) if is_client_gone(error)) {
            self.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(polled)
    }
}

/// Watches the request's body, if it is axum's and has not ended. A body of another type cannot be replaced by a
/// watched one.
#[inline]
pub(super) fn watch<B: 'static>(request: &mut Request<B>) -> Option<UploadAborted> {
    let body = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>()?;
    (!body.is_end_stream()).then(|| watch_body(body))
}

#[cold]
fn watch_body(body: &mut Body) -> UploadAborted {
    let aborted = UploadAborted::default();
    *body = Body::new(WatchedBody::new(std::mem::take(body), aborted.clone()));
    aborted
}

/// Whether the error means that the connection ended. After a malformed chunk or a body over a limit, the client still
/// waits for its answer.
fn is_client_gone(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|error| ends_connection(error.kind())) {
            return true;
        }
        next = error.source();
    }
    false
}

fn ends_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
    };
    matches!(kind, UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe | NotConnected | TimedOut)
}
