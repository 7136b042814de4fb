//! The layer and the service it makes.

use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument as _, Span};

use super::endpoint::admit;
use super::guard::Guard;
use super::{ResponseBody, ResponseFuture, method, span};

/// Counts, times and names the requests of the service it is put around.
///
/// The [module](super) says what is recorded. The layer keeps no state of its own: any number of them, cloned or new,
/// feed the same metrics of the process.
///
/// ```
/// use axum::{Router, routing::get};
/// use monitor_runtime::http::HttpLayer;
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(HttpLayer::new());
/// ```
#[derive(Clone, Debug, Default)]
pub struct HttpLayer {
    metrics_only: bool,
}

impl HttpLayer {
    /// Makes a layer that counts, times and names requests.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a layer that counts and times requests and leaves their ids alone: `x-request-id` is neither read nor
    /// returned, nothing is bound to log lines, no trace is taken on, and there is no [`RequestId`](super::RequestId) to extract.
    pub fn metrics_only() -> Self {
        Self { metrics_only: true }
    }
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpService { inner, layer: self.clone() }
    }
}

/// A service inside an [`HttpLayer`].
#[derive(Clone, Debug)]
pub struct HttpService<S> {
    inner: S,
    layer: HttpLayer,
}

impl<S, Req, Res> Service<Request<Req>> for HttpService<S>
where
    S: Service<Request<Req>, Response = Response<Res>>,
    Res: Body,
{
    type Response = Response<ResponseBody<Res>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<Req>) -> Self::Future {
        let method = method::label(request.method());
        let Some(endpoint) = admit(&mut request) else {
            return ResponseFuture::untouched(self.inner.call(request));
        };
        let mut guard = Guard::begin(method, endpoint);
        let (id, span) =
            if self.layer.metrics_only { (None, Span::none()) } else { span::open(&mut request) };
        guard.identify(&span, id.as_ref());
        #[cfg(feature = "otlp")]
        guard.watch(&span);
        guard.enter();
        let entered = span.enter();
        let inner = self.inner.call(request);
        drop(entered);
        guard.leave();
        ResponseFuture::new(inner.instrument(span), guard, id)
    }
}
