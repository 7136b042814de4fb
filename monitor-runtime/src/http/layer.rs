//! The layer, and the service that it makes.

use std::borrow::Cow;
#[cfg(feature = "tonic")]
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use super::access::AccessLog;
use super::body::ResponseBody;
use super::endpoint::{EndpointNamer, RequestHead, RouteMatch, UNMATCHED};
use super::future::ResponseFuture;
#[cfg(feature = "tonic")]
use super::grpc::{self, GrpcServices};
use super::guard::RequestGuard;
use super::pending_route::PendingRoute;
use super::request_id::RequestId;
use super::{span, upload};
use crate::families::method::MethodLabel;

/// Counts, times and names the requests of the service that it wraps.
///
/// The [module](super) defines what is recorded. The layer keeps no state of its own: all layers, cloned or new, feed
/// the same metrics of the process.
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
    namer: Option<EndpointNamer>,
    access: Option<AccessLog>,
    #[cfg(feature = "tonic")]
    grpc: Option<Arc<GrpcServices>>,
}

impl HttpLayer {
    /// Makes a layer that counts, times and names requests.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a layer that counts and times requests and does not change them.
    ///
    /// It neither reads nor returns `x-request-id`, binds nothing to log lines, continues no trace, and provides no
    /// [`RequestId`](super::RequestId) to extract.
    ///
    /// Layers further in recognize a counted request by its id. A metrics-only layer sets none, so a layer inside it
    /// counts the request again.
    pub fn metrics_only() -> Self {
        Self { metrics_only: true, ..Self::default() }
    }

    /// Names the endpoints of requests that axum's `Router` does not route, such as those of another router, of a gRPC
    /// server, or of the fallback that serves a single-page application.
    ///
    /// `name` returns the label `endpoint`, which is also the field `endpoint` of the log lines. If it returns `None`,
    /// the endpoint is the route that axum matched, or `unmatched`. It is called once for each request, before the
    /// inner service. Probes are not counted, whatever it returns.
    ///
    /// Return a name from a small set, never the path that the client sent. The metrics hold 2,000 endpoints by
    /// default. Further endpoints, and names of more than 256 bytes, are recorded as `__overflow__`.
    ///
    /// Under [`Monitor::serve`](crate::Monitor::serve), add a layer with `endpoint` to your own router. It names the
    /// requests for which the outer layer has no route, and counts none twice.
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
    /// A panic in `name` unwinds into the server, and the request is not counted.
    pub fn endpoint<F>(self, name: F) -> Self
    where
        F: Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    {
        Self { namer: Some(EndpointNamer::new(name)), ..self }
    }

    /// Counts the calls of gRPC services by their status, in `grpc_requests_total`, and names their endpoints
    /// `/package.Service/Method`.
    ///
    /// Calls of other services and methods are `unmatched`. If [`endpoint`](Self::endpoint) returns a name, that name is
    /// the endpoint. [`MonitorBuilder::grpc`](crate::MonitorBuilder::grpc) sets the services for the layer of a monitor.
    #[cfg(feature = "tonic")]
    pub fn grpc(self, services: GrpcServices) -> Self {
        self.with_grpc(Some(Arc::new(services)))
    }

    #[cfg(feature = "tonic")]
    pub(crate) fn with_grpc(self, grpc: Option<Arc<GrpcServices>>) -> Self {
        Self { grpc, ..self }
    }
}

impl HttpLayer {
    /// Writes one log line when a request ends (default: none).
    ///
    /// The line has the level `info`, the logger `monitor_runtime::access` and the event `request ended`. Beside the
    /// fields of every line of the request (`request_id`, `method` and `endpoint`, unless the layer is
    /// [`metrics_only`](Self::metrics_only)), it has:
    ///
    /// | field | content |
    /// | --- | --- |
    /// | `status` | the status as in `http_requests_total`: 499 if the client left |
    /// | `duration_ms` | milliseconds from the request's arrival to the end of its response body |
    /// | `bytes` | the bytes of the response body that were handed to the server |
    /// | `client_address` | with [`AccessLog::client_address`] |
    ///
    /// Requests that are not counted have no line. `LOG_LEVEL=info,monitor_runtime::access=off` turns the lines off.
    pub fn access_log(self, access: AccessLog) -> Self {
        Self { access: Some(access), ..self }
    }
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpService { inner, layer: self.clone() }
    }
}

/// The service that an [`HttpLayer`] makes from another one.
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
        let named = self.layer.namer.as_ref().and_then(|namer| namer.name(&request));
        let matched = RouteMatch::of(&request, named.as_deref());
        #[cfg(feature = "tonic")]
        let grpc = grpc::call(self.layer.grpc.as_ref(), &request);
        #[cfg(feature = "tonic")]
        let matched = match &grpc {
            Some(call) if named.is_none() => call.route(),
            _ => matched,
        };
        if let Some(outer) = PendingRoute::of(request.extensions()) {
            outer.resolve(matched);
        }
        // A layer further out counts the request already if it has an id.
        let is_counted = request.extensions().get::<RequestId>().is_some();
        let (endpoint, is_unmatched) = match matched {
            RouteMatch::Route(endpoint) if !is_counted => (endpoint, false),
            RouteMatch::Unmatched if !is_counted => (UNMATCHED, true),
            _ => return ResponseFuture::uncounted(self.inner.call(request)),
        };
        let (mut guard, route) = RequestGuard::begin(MethodLabel::of(request.method()), endpoint);
        #[cfg(feature = "tonic")]
        let is_grpc = grpc.is_some();
        #[cfg(not(feature = "tonic"))]
        let is_grpc = false;
        let (id, span) =
            if self.layer.metrics_only { (None, None) } else { span::open(&mut request, route, is_grpc) };
        #[cfg(feature = "tonic")]
        if let Some(call) = grpc {
            guard.keep_grpc(call, span.as_ref());
        }
        if is_unmatched {
            guard.wait_for_route(&mut request, span.as_ref());
        }
        if let Some(aborted) = upload::watch(&mut request) {
            guard.watch_upload(aborted);
        }
        guard.identify(span.as_ref(), id.as_ref());
        guard.keep_span(span.as_ref());
        if let Some(access) = self.layer.access {
            guard.log_access(access.begin(&request, span.as_ref()));
        }
        guard.enter();
        let entered = span.as_ref().map(Span::enter);
        let inner = self.inner.call(request);
        drop(entered);
        guard.leave();
        ResponseFuture::new(inner, span, guard, id)
    }
}
