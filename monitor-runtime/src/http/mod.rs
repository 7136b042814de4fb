//! The tower layer that counts, times and names HTTP requests.
//!
//! [`HttpLayer`] goes around an axum `Router` (or any tower service that answers with `http` types). For each request it
//!
//! * moves `http_requests_total`, `http_request_duration_seconds` and `http_requests_in_flight`;
//! * takes the request's id from the header `x-request-id`, or makes one, gives it to handlers as [`RequestId`], binds it
//!   to every log line written while the request is handled, and returns it on the response;
//! * takes on the trace that the headers `traceparent` and `tracestate` name: see [traces](#traces).
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
//! # What a request is
//!
//! It starts when it reaches the layer and ends when its response body has been sent, so a slow download counts in full. It
//! is recorded once, whichever way it ends:
//!
//! | what happens | `status` |
//! | --- | --- |
//! | the response body ends | the response's own |
//! | the handler or the body panics (the panic goes on) | 500 |
//! | the inner service fails, or the body yields an error | 500 |
//! | the request is dropped before its response, or the body before its end: the client left | 499 |
//! | the connection ends while the handler reads the request's body, whatever it answers | 499 |
//!
//! A response without a body (to `HEAD`, 1xx, 204, 304, a successful `CONNECT`) ends with its head; so does an upgrade,
//! whose connection is no longer HTTP. A body ends with its last frame when it says so, when it has sent as many bytes as
//! it promised, or with its trailers.
//!
//! A response is sent when the server has asked for its last frame. A server asks when it has room, so a frame of `Bytes` past
//! 32 KiB is handed over in pieces, of which the last has 2 KiB: the server has written nearly all before when it asks for that.
//! The kernel's buffers are not seen, nor hyper's own of 400 KiB where a body comes in many frames of up to 32 KiB.
//!
//! The request's body is watched where it is an [`axum::body::Body`], as in every `Router`.
//!
//! Middleware *outside* this layer that drops a request or throws its body away (a timeout, a rewrite to 304) looks the
//! same as a client that left: put this layer outermost, last among the calls of `Router::layer`.
//!
//! # Labels
//!
//! `endpoint` is the route template (`/users/{id}`, with the prefixes of nested routers) or `unmatched`, never a path
//! that a client chose. axum 0.8 tells the template to layers added by `Router::layer`. A layer further out learns it from another
//! layer that is added there; without one, every request of a finished `Router` is `unmatched`. What other routers match is for
//! [`HttpLayer::endpoint`] to name. `method` is one of the nine standard methods or `OTHER`. Log lines of the request carry both.
//!
//! # Traces
//!
//! A request whose header `traceparent` keeps the rules of W3C Trace Context belongs to its caller's trace. Its log lines carry
//! `trace_id` and `span_id`, handlers find a [`TraceContext`](crate::TraceContext) in the extensions, and
//! [`context::inject`](crate::context::inject) passes it on to the services that the request calls. A header that breaks a
//! rule is ignored. Without one no trace is begun, unless spans are exported (feature `otlp`): then each request is a span, in its
//! caller's trace or in one of its own.
//!
//! # What is left alone
//!
//! The health and metrics routes, `…/health/live`, `/ready`, `/startup` and `/metrics` (below any literal prefix), pass through
//! as if the layer were not there: probes never blur the numbers of real requests. Where the layer cannot know the route, as around
//! `nest_service`, the monitor's own routes have themselves left out. A request that has an id from one
//! [`HttpLayer::new`] is counted there, and by no layer further in.

mod body;
mod endpoint;
mod future;
mod guard;
mod inside;
mod layer;
mod request_id;
mod span;
mod unmatched;
mod upload;

pub use body::ResponseBody;
pub use endpoint::RequestHead;
pub use future::ResponseFuture;
pub use layer::{HttpLayer, HttpService};
#[cfg(feature = "__fuzzing")]
pub(crate) use request_id::accepted_id;
pub use request_id::{MissingRequestId, RequestId};
pub(crate) use unmatched::leave_out;
