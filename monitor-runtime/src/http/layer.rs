//! The layer and the service it makes.

use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use super::endpoint::route_of;
use super::guard::Guard;
use super::method::Name;
use super::{RequestId, ResponseBody, ResponseFuture, span};

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

    /// Makes a layer that counts and times requests and leaves them as they are: `x-request-id` is neither read nor
    /// returned, nothing is bound to log lines, no trace is taken on, and there is no [`RequestId`](super::RequestId) to extract.
    ///
    /// It is by the id that a layer knows of a request that is counted already: a layer of metrics only around any other counts the
    /// request once more.
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
        // Its id says of a request that a layer further out counts it already.
        let is_counted = request.extensions().get::<RequestId>().is_some();
        let Some(endpoint) = route_of(&request).filter(|_| !is_counted) else {
            return ResponseFuture::untouched(self.inner.call(request));
        };
        let mut guard = Guard::begin(Name::of(request.method()), endpoint);
        let (id, span) = if self.layer.metrics_only { (None, None) } else { span::open(&mut request) };
        guard.identify(span.as_ref(), id.as_ref());
        #[cfg(feature = "otlp")]
        guard.watch(span.as_ref());
        guard.enter();
        let entered = span.as_ref().map(Span::enter);
        let inner = self.inner.call(request);
        drop(entered);
        guard.leave();
        ResponseFuture::new(inner, span, guard, id)
    }
}
