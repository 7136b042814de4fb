//! What a request is called in its log lines: its id, and the trace that it belongs to.

use http::Request;
use tracing::{Level, Span};

use super::RequestId;
use super::endpoint::{Place, UNMATCHED};
use super::method::Name;
use crate::TraceContext;
#[cfg(feature = "otlp")]
use crate::otlp::{self, Described};

/// The logger of a request's span.
pub(super) const TARGET: &str = "monitor_runtime::http";

/// Decides the request's id and reads its trace, leaves both in the extensions, and opens the span that binds them, if
/// somebody listens.
pub(super) fn open<B>(request: &mut Request<B>, place: &Place) -> (Option<RequestId>, Option<Span>) {
    let id = RequestId::assign(request);
    let trace = TraceContext::from_headers(request.headers());
    #[cfg(feature = "otlp")]
    let _opening = otlp::describe(|| described(request, place, trace.as_ref()));
    let method = Name::of(request.method()).as_str();
    let endpoint = place.route().unwrap_or(UNMATCHED);
    let span = match trace {
        None => plain(&id, method, endpoint),
        Some(trace) => {
            let span = traced(&id, method, endpoint, &trace);
            #[cfg(feature = "logging")]
            crate::logging::keep_trace_context(&span, &trace);
            request.extensions_mut().insert(trace);
            span
        }
    };
    (Some(id), Some(span).filter(|span| !span.is_disabled()))
}

fn plain(id: &RequestId, method: &str, endpoint: &str) -> Span {
    // Looking first spares the whole of `span!` while nobody listens.
    if tracing::level_enabled!(Level::INFO) {
        tracing::info_span!(target: TARGET, "request", request_id = id.as_str(), method, endpoint)
    } else {
        Span::none()
    }
}

fn traced(id: &RequestId, method: &str, endpoint: &str, trace: &TraceContext) -> Span {
    let (request_id, trace_id, span_id) = (id.as_str(), trace.trace_id(), trace.span_id());
    tracing::info_span!(target: TARGET, "request", request_id, method, endpoint, trace_id, span_id)
}

#[cfg(feature = "otlp")]
fn described<B>(request: &Request<B>, place: &Place, caller: Option<&TraceContext>) -> Described {
    Described::Request(Box::new(otlp::Request {
        method: Name::of(request.method()).as_str(),
        route: place.route().map(str::to_owned),
        path: request.uri().path().to_owned(),
        scheme: if request.uri().scheme_str() == Some("https") { "https" } else { "http" },
        caller: caller.cloned(),
    }))
}
