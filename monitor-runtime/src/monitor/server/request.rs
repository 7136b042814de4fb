//! Requests and answers, as far as the connection's state depends on them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::connection_state::{CloseReason, ConnectionState, RequestKind};
use crate::http::UpgradedConnection;
use crate::http::watched_body::{PollFrame, Watch, WatchedBody};
use crate::monitor::endpoints::Endpoints;

/// Handles the requests of one connection.
pub(super) struct ConnectionService<A> {
    pub(super) router: Router,
    pub(super) client: A,
    pub(super) state: Arc<ConnectionState>,
    pub(super) endpoints: Arc<Endpoints>,
}

impl<A: Clone + Send + Sync + 'static> hyper::service::Service<Request<Incoming>> for ConnectionService<A> {
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = AnswerFuture<<Router as Service<Request<Body>>>::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (version, is_connect) = (request.version(), request.method() == Method::CONNECT);
        let is_probe = self.endpoints.route_at(request.uri().path()).is_some();
        let kind = if is_probe { RequestKind::Probe } else { RequestKind::App };
        self.state.begin(kind, version == Version::HTTP_2);
        let open = OpenRequest { state: Arc::clone(&self.state), kind };
        let state = Arc::clone(&self.state);
        let mut request =
            request.map(|inner| Body::new(WatchedBody::new(inner, BodyTimeout { state, waits: None })));
        request.extensions_mut().insert(ConnectInfo(self.client.clone()));
        if self.endpoints.bearer.is_set() && (is_probe || request.uri().path().contains("/monitor/")) {
            request.extensions_mut().insert(self.state.held_back.clone());
        }
        AnswerFuture {
            inner: self.router.clone().call(request),
            open: Some(open),
            endpoints: Arc::clone(&self.endpoints),
            version,
            is_connect,
        }
    }
}

/// Counts a request from its beginning to the end of its answer's body.
pub(super) struct OpenRequest {
    state: Arc<ConnectionState>,
    kind: RequestKind,
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.state.end(self.kind);
    }
}

pin_project! {
    /// The time from a request's head to the head of its answer.
    pub(super) struct AnswerFuture<F> {
        #[pin]
        inner: F,
        open: Option<OpenRequest>,
        endpoints: Arc<Endpoints>,
        version: Version,
        is_connect: bool,
    }
}

impl<F> Future for AnswerFuture<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<AnswerBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.inner.poll(cx);
        if let Some(open) = this.open {
            open.state.note_poll(polled.is_pending());
        }
        let mut response = ready!(polled)?;
        let Some(open) = this.open.take() else { unreachable!("polled after completion") };
        let status = response.status();
        let is_upgrade = status == StatusCode::SWITCHING_PROTOCOLS || *this.is_connect && status.is_success();
        if *this.version == Version::HTTP_2 {
            // The connection outlives its streams.
        } else if is_upgrade {
            open.state.upgrade(protocol(&response), UpgradedConnection::take(response.extensions_mut()));
        } else if this.endpoints.engine.is_draining() {
            // Clients with keep-alive then move to another server on their own, before this one closes the connection.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|body| WatchedBody::new(body, open))))
    }
}

/// The protocol after an upgrade, as log lines and metrics name it.
fn protocol(response: &Response<Body>) -> Cow<'static, str> {
    match response.headers().get(UPGRADE) {
        Some(protocol) if protocol.as_bytes().eq_ignore_ascii_case(b"websocket") => "websocket".into(),
        Some(protocol) => String::from_utf8_lossy(protocol.as_bytes()).into_owned().into(),
        None => "tunnel".into(),
    }
}

/// The body of an answer. Dropping it ends the request.
pub(super) type AnswerBody = WatchedBody<Body, OpenRequest>;

impl Watch<Body> for OpenRequest {
    type Error = axum::Error;

    fn poll_frame(&mut self, body: Pin<&mut Body>, cx: &mut Context<'_>) -> PollFrame<Bytes, axum::Error> {
        let polled = body.poll_frame(cx);
        self.state.note_poll(polled.is_pending());
        polled
    }
}

/// Fails the body of a request if its reader has waited too long.
struct BodyTimeout {
    state: Arc<ConnectionState>,
    /// The deadline of the current wait.
    waits: Option<Pin<Box<Sleep>>>,
}

/// Why a request's body could not be read to its end.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("no byte of the request's body came in {0:?}")]
    Silent(std::time::Duration),
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Watch<Incoming> for BodyTimeout {
    type Error = BodyError;

    fn poll_frame(&mut self, body: Pin<&mut Incoming>, cx: &mut Context<'_>) -> PollFrame<Bytes, BodyError> {
        if let Poll::Ready(frame) = body.poll_frame(cx) {
            self.waits = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let limit = self.state.limits.body;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waits.as_mut().poll(cx));
        self.state.set_close_reason(CloseReason::Body);
        Poll::Ready(Some(Err(BodyError::Silent(limit))))
    }
}
