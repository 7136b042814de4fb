//! Whether the client is still there while the request's body is read.

use std::any::Any;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http::Request;
use http_body::{Body as _, Frame, SizeHint};

/// Set once the connection ended in the middle of the request's body.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Watches the body of the request, if it has one of axum's type that has not ended.
#[inline]
pub(super) fn watch<B: 'static>(request: &mut Request<B>) -> Option<GivenUp> {
    let body = (request.body_mut() as &mut dyn Any).downcast_mut::<Body>()?;
    (!body.is_end_stream()).then(|| watch_body(body))
}

#[cold]
fn watch_body(body: &mut Body) -> GivenUp {
    let given_up = GivenUp::default();
    let inner = std::mem::take(body);
    *body = Body::new(Watched { inner, given_up: given_up.clone() });
    given_up
}

struct Watched {
    inner: Body,
    given_up: GivenUp,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Err(error)) = &polled
            && is_client_gone(error)
        {
            self.given_up.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Whether the connection ended: a malformed chunk, or a body past a limit, comes from a client that waits for its answer.
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
