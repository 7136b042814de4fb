//! The span of a request, which binds its id, its labels and its trace to the log lines written inside.

use http::Request;
use tracing::{Level, Span};

use super::endpoint::UNMATCHED;
use super::request_id::RequestId;
use crate::call::span_descriptor::{self, RequestDescriptor, SpanDescriptor};
use crate::families::method::MethodLabel;
use crate::families::requests::Route;
use crate::trace_context::TraceContext;

/// The logger of a request's span.
pub(super) const TARGET: &str = "monitor_runtime::http";

/// Decides the request's id, reads its trace, puts both into the extensions, and opens the span that binds them.
///
/// There is no span while no subscriber listens to it.
pub(super) fn open<B>(
    request: &mut Request<B>,
    route: Route,
    is_grpc: bool,
) -> (Option<RequestId>, Option<Span>) {
    let id = RequestId::assign(request);
    let trace = TraceContext::from_headers(request.headers());
    let _attached = span_descriptor::attach(|| descriptor(request, route, trace.as_ref()));
    let span = match trace {
        None if is_grpc => of_grpc(&id, route, None),
        None => without_trace(&id, route),
        Some(trace) => {
            let span =
                if is_grpc { of_grpc(&id, route, Some(&trace)) } else { within_trace(&id, route, &trace) };
            #[cfg(feature = "logging")]
            crate::logging::keep_trace_context(&span, &trace);
            request.extensions_mut().insert(trace);
            span
        }
    };
    (Some(id), Some(span).filter(|span| !span.is_disabled()))
}

fn without_trace(id: &RequestId, route: Route) -> Span {
    // This check skips all of `info_span!` while no subscriber wants the level.
    if tracing::level_enabled!(Level::INFO) {
        let [method, endpoint] = route.labels();
        tracing::info_span!(target: TARGET, "request", request_id = id.as_str(), method, endpoint)
    } else {
        Span::none()
    }
}

fn within_trace(id: &RequestId, route: Route, trace: &TraceContext) -> Span {
    let [method, endpoint] = route.labels();
    let (request_id, trace_id, span_id) = (id.as_str(), trace.trace_id(), trace.span_id());
    tracing::info_span!(target: TARGET, "request", request_id, method, endpoint, trace_id, span_id)
}

/// The span of a gRPC call, which has room for its status.
fn of_grpc(id: &RequestId, route: Route, trace: Option<&TraceContext>) -> Span {
    let [method, endpoint] = route.labels();
    tracing::info_span!(
        target: TARGET,
        "request",
        request_id = id.as_str(),
        method,
        endpoint,
        trace_id = trace.map(TraceContext::trace_id),
        span_id = trace.map(TraceContext::span_id),
        rpc.system = "grpc",
        rpc.grpc.status_code = tracing::field::Empty,
    )
}

fn descriptor<B>(request: &Request<B>, route: Route, caller: Option<&TraceContext>) -> SpanDescriptor {
    // The route template comes first, since the labels are those of the overflow once the family is full.
    let matched =
        request.extensions().get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str);
    let [_, named] = route.labels();
    let route = matched.or(Some(named).filter(|named| *named != UNMATCHED));
    SpanDescriptor::Request(Box::new(RequestDescriptor {
        method: MethodLabel::of(request.method()).as_str(),
        route: route.map(str::to_owned),
        path: request.uri().path().to_owned(),
        scheme: if request.uri().scheme_str() == Some("https") { "https" } else { "http" },
        caller: caller.cloned(),
    }))
}
