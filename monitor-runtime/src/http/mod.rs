//! The tower layer that counts, times and names HTTP requests.
//!
//! [`HttpLayer`] wraps an axum `Router`, or any tower service that answers with `http` types. For each request it
//!
//! * updates `http_requests_total`, `http_request_duration_seconds` and `http_requests_in_flight`;
//! * accepts the request's id from the header `x-request-id`, or makes one. Handlers get it as [`RequestId`], every log
//!   line written while the request is handled carries it, and the response returns it;
//! * continues the trace of the headers `traceparent` and `tracestate`: see [traces](#traces).
//!
//! ```
//! use axum::{Router, routing::get};
//! use monitor_runtime::http::{HttpLayer, RequestId};
//!
//! async fn user(id: RequestId) -> String {
//!     format!("this is request {id}")
//! }
//!
//! let app: Router = Router::new().route("/users/{id}", get(user)).layer(HttpLayer::new());
//! ```
//!
//! # Definition of a request
//!
//! A request starts when it reaches the layer and ends when its response body has been sent, so a slow download counts
//! in full. It is recorded once, however it ends:
//!
//! | event | `status` |
//! | --- | --- |
//! | the response body ends | the response's own |
//! | the handler or the body panics (the panic goes on) | 500 |
//! | the inner service fails, or the body yields an error | 500 |
//! | the request is dropped before its response, or the body before its end: the client left | 499 |
//! | the connection ends while the handler reads the request's body, whatever the handler answers | 499 |
//!
//! A response without a body (to `HEAD`, 1xx, 204, 304, a successful `CONNECT`) ends with its head. So does an upgrade,
//! after which the connection is no longer HTTP: its status is 101 (2xx of a `CONNECT`), and its duration is that of
//! the handshake. Under [`Monitor::serve`](crate::Monitor::serve), `http_requests_in_flight` counts the connection
//! until it is closed. Under other servers the layer cannot see when that happens. A body ends with the frame after
//! which it reports its end, with the last byte of its `content-length`, or with its trailers.
//!
//! A response counts as sent when the server asks for its last frame. A server asks when it has room. A frame of
//! `Bytes` over 32 KiB is therefore handed over in pieces, the last of 2 KiB: when the server asks for that piece, it
//! has written nearly all before it. The layer does not see the kernel's buffers, nor hyper's own of 400 KiB for a body
//! of many frames up to 32 KiB.
//!
//! The request's body is watched if it is an [`axum::body::Body`], as in every `Router`.
//!
//! Middleware *outside* this layer that drops a request or its response body (a timeout, a rewrite to 304) looks like a
//! client that left. Put this layer outermost: last among the calls of `Router::layer`.
//!
//! # Labels
//!
//! `endpoint` is the route template (`/users/{id}`, with the prefixes of nested routers) or `unmatched`, never a path
//! that a client chose. axum 0.8 shows the template to layers added by `Router::layer`. A layer further out learns it
//! from a second layer that is added there. Without one, every request of a finished `Router` is `unmatched`. For other
//! routers, [`HttpLayer::endpoint`] names the endpoints. `method` is one of the nine standard methods or `OTHER`. The
//! log lines of the request carry both.
//!
//! # Access lines
//!
//! By default a request writes no line of its own. [`HttpLayer::access_log`] writes one when a request ends.
//!
//! # gRPC
//!
//! With the feature `tonic`, a layer that knows the services of the process (by `HttpLayer::grpc` or
//! `MonitorBuilder::grpc`) counts each gRPC call by its status, in `grpc_requests_total`. The status comes from the
//! trailers, or from the headers of a response without a body. `endpoint` is the call's path, such as
//! `/helloworld.Greeter/SayHello`, if the service and its method are known, and `unmatched` otherwise. The span of such
//! a request has the field `rpc.grpc.status_code`, which is set when the call ends, and which its access line carries.
//!
//! # Traces
//!
//! A request with a valid `traceparent` header (W3C Trace Context) belongs to its caller's trace. Its log lines carry
//! `trace_id` and `span_id`, handlers find a [`TraceContext`](crate::context::TraceContext) in the extensions, and
//! [`context::inject`](crate::context::inject) passes it on to the services that the request calls. An invalid header
//! is ignored. Without a valid header there is no trace, unless spans are exported (feature `otlp`). Then each request
//! is a span, in its caller's trace or in a new one.
//!
//! # Requests that are not counted
//!
//! The health and metrics routes, `…/health/live`, `/ready`, `/startup` and `/metrics` (below any literal prefix), pass
//! through unchanged and uncounted, so that probes do not blur the numbers of real requests. If the layer cannot know
//! the route, as around `nest_service`, the monitor's own routes take their requests out of the metrics themselves. A
//! request with an id from one [`HttpLayer::new`] is counted there, and by no layer further in.

mod access;
mod body;
mod endpoint;
mod future;
#[cfg(feature = "tonic")]
mod grpc;
mod guard;
mod in_span;
mod layer;
mod pending_route;
mod request_id;
mod span;
mod upgraded;
mod upload;
pub(crate) mod watched_body;

pub use access::AccessLog;
pub use body::ResponseBody;
pub use endpoint::RequestHead;
pub use future::ResponseFuture;
#[cfg(feature = "tonic")]
pub use grpc::{GrpcDescriptorError, GrpcServices};
pub use layer::{HttpLayer, HttpService};
pub(crate) use pending_route::exclude_from_metrics;
#[cfg(feature = "__fuzzing")]
pub(crate) use request_id::accepted_id;
pub use request_id::{MissingRequestId, RequestId};
pub(crate) use upgraded::UpgradedConnection;
