//! What a request is called in its log lines: its id, and the trace that it belongs to.

use http::Request;
use tracing::{Level, Span};

use super::RequestId;
use super::endpoint::UNMATCHED;
use super::guard::Labels;
use crate::TraceContext;
use crate::call::span_descriptor::{self, RequestDescriptor, SpanDescriptor};
use crate::families::method::MethodLabel;

/// The logger of a request's span.
pub(super) const TARGET: &str = "monitor_runtime::http";

/// Decides the request's id and reads its trace, leaves both in the extensions, and opens the span that binds them, if
/// somebody listens.
pub(super) fn open<B>(request: &mut Request<B>, labels: Labels) -> (Option<RequestId>, Option<Span>) {
    let id = RequestId::assign(request);
    let trace = TraceContext::from_headers(request.headers());
    let _attached = span_descriptor::attach(|| descriptor(request, labels, trace.as_ref()));
    let span = match trace {
        None => plain(&id, labels),
        Some(trace) => {
            let span = traced(&id, labels, &trace);
            #[cfg(feature = "logging")]
            crate::logging::keep_trace_context(&span, &trace);
            request.extensions_mut().insert(trace);
            span
        }
    };
    (Some(id), Some(span).filter(|span| !span.is_disabled()))
}

fn plain(id: &RequestId, labels: Labels) -> Span {
    // Looking first spares the whole of `span!` while nobody listens.
    if tracing::level_enabled!(Level::INFO) {
        let [method, endpoint] = labels.values();
        tracing::info_span!(target: TARGET, "request", request_id = id.as_str(), method, endpoint)
    } else {
        Span::none()
    }
}

fn traced(id: &RequestId, labels: Labels, trace: &TraceContext) -> Span {
    let [method, endpoint] = labels.values();
    let (request_id, trace_id, span_id) = (id.as_str(), trace.trace_id(), trace.span_id());
    tracing::info_span!(target: TARGET, "request", request_id, method, endpoint, trace_id, span_id)
}

fn descriptor<B>(request: &Request<B>, labels: Labels, caller: Option<&TraceContext>) -> SpanDescriptor {
    // The template itself: where the family is full, the labels are those of its overflow.
    let matched =
        request.extensions().get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str);
    let named = labels.values()[1];
    let route = matched.or(Some(named).filter(|named| *named != UNMATCHED));
    SpanDescriptor::Request(Box::new(RequestDescriptor {
        method: MethodLabel::of(request.method()).as_str(),
        route: route.map(str::to_owned),
        path: request.uri().path().to_owned(),
        scheme: if request.uri().scheme_str() == Some("https") { "https" } else { "http" },
        caller: caller.cloned(),
    }))
}
