//! The layer and the service it makes.

use std::borrow::Cow;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use super::endpoint::{Naming, Place, RequestHead, UNMATCHED};
use super::guard::Guard;
use super::unmatched::Unmatched;
use super::{RequestId, ResponseBody, ResponseFuture, span, upload};
use crate::families::method::MethodLabel;

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
    naming: Option<Naming>,
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
        Self { metrics_only: true, naming: None }
    }

    /// Names the endpoints of requests that axum's `Router` does not route: those of another router, of a gRPC server, of the
    /// fallback that serves a single-page application.
    ///
    /// What `name` gives is the label `endpoint`, and `endpoint` in the log lines; where it gives `None`, the endpoint is the route
    /// that axum matched, or `unmatched`. It is asked once for each request, before the inner service is called; probes are left alone whatever it gives.
    /// Give a name of a small set, never the path that the client sent: the metrics hold 2,000 endpoints by default, and record
    /// those past that, and names of more than 256 bytes, as `__overflow__`.
    ///
    /// Under [`Monitor::serve`](crate::Monitor::serve), add a layer with `endpoint` to your own router: it names the requests that
    /// the layer around has no route for, and counts none twice.
    ///
    /// ```
    /// use monitor_runtime::http::HttpLayer;
    ///
    /// let layer = HttpLayer::new().endpoint(|request| match request.uri().path() {
    ///     "/helloworld.Greeter/SayHello" => Some("helloworld.Greeter/SayHello".into()),
    ///     path if path.starts_with("/assets/") => Some("assets".into()),
    ///     _ => None,
    /// });
    /// # drop(layer);
    /// ```
    ///
    /// # Panics
    ///
    /// A panic in `name` goes on to the server, and the request is not counted.
    pub fn endpoint<F>(self, name: F) -> Self
    where
        F: Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    {
        Self { naming: Some(Naming::new(name)), ..self }
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
    Req: 'static,
    Res: Body,
    Res::Data: 'static,
{
    type Response = Response<ResponseBody<Res>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<Req>) -> Self::Future {
        let named = self.layer.naming.as_ref().and_then(|naming| naming.name(&request));
        let place = Place::of(&request, named.as_deref());
        if let Some(around) = Unmatched::of(request.extensions()) {
            around.tell(place);
        }
        // Its id says of a request that a layer further out counts it already.
        let is_counted = request.extensions().get::<RequestId>().is_some();
        let (endpoint, is_unmatched) = match place {
            Place::Route(endpoint) if !is_counted => (endpoint, false),
            Place::Unmatched if !is_counted => (UNMATCHED, true),
            _ => return ResponseFuture::untouched(self.inner.call(request)),
        };
        let mut guard = Guard::begin(MethodLabel::of(request.method()), endpoint);
        let (id, span) = match guard.labels() {
            Some(labels) if !self.layer.metrics_only => span::open(&mut request, labels),
            _ => (None, None),
        };
        if is_unmatched {
            guard.expect_route(&mut request, span.as_ref());
        }
        if let Some(given_up) = upload::watch(&mut request) {
            guard.expect_upload(given_up);
        }
        guard.identify(span.as_ref(), id.as_ref());
        guard.watch(span.as_ref());
        guard.enter();
        let entered = span.as_ref().map(Span::enter);
        let inner = self.inner.call(request);
        drop(entered);
        guard.leave();
        ResponseFuture::new(inner, span, guard, id)
    }
}
