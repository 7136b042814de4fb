//! What log lines say of where they were emitted: bind more of it, and carry it into spawned tasks and on to other services.
//!
//! The context is that of the `tracing` spans around a line; a tracked call and a request each open one.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Level, Value};

use crate::TraceContext;
#[cfg(feature = "health")]
use crate::call::CallId;
use crate::logging;

/// Binds a value to every log line from here on, until the innermost span ends: that of the tracked call, of the
/// request, or one opened by hand.
///
/// Spans opened inside inherit it; those already open do not change. A name bound again is replaced. A value is
/// whatever `tracing` takes: numbers, `bool`, `&str`, `String`, `Option` (`None` binds nothing),
/// [`tracing::field::display`] and [`debug`](tracing::field::debug) of anything else.
///
/// Outside of any span there is nothing to bind to; that is said once in the log.
///
/// ```
/// use monitor_runtime::context;
///
/// let _request = tracing::info_span!("request").entered();
/// context::bind("user_id", 17);
/// context::bind("peer", tracing::field::display(std::net::Ipv4Addr::LOCALHOST));
/// ```
pub fn bind(name: &'static str, value: impl Value) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !logging::bind(name, &value) && tracing::enabled!(Level::WARN) && !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(target: "monitor_runtime::context", name, "nothing to bind to: no span is open here that is logged");
    }
}

/// The place in a trace that a call made from here is to name as its parent; `None` outside of any trace.
///
/// That is what the request at hand brought in its headers, as the [`HttpLayer`](crate::http::HttpLayer) read them; where spans
/// are exported (feature `otlp`), it is the innermost of them here.
///
/// ```
/// // To what has no HTTP headers, a message queue for one.
/// fn headers() -> Vec<(&'static str, String)> {
///     let trace = monitor_runtime::context::trace_context();
///     trace.map(|trace| ("traceparent", trace.to_string())).into_iter().collect()
/// }
/// ```
pub fn trace_context() -> Option<TraceContext> {
    logging::trace_context()
}

/// Writes the headers `traceparent` and `tracestate` of a call made from here, so that the service called goes on with the
/// trace. Outside of any trace, `headers` stay as they are.
///
/// ```
/// let mut request = http::Request::get("http://billing/invoices").body(())?;
/// monitor_runtime::context::inject(request.headers_mut());
/// # Ok::<(), http::Error>(())
/// ```
#[cfg(feature = "health")]
pub fn inject(headers: &mut http::HeaderMap) {
    if let Some(trace) = trace_context() {
        trace.inject(headers);
    }
}

/// Spawns a task as `tokio::spawn` does, with the context carried over: it runs inside the current span, under the
/// current `tracing` subscriber, and an error logged inside is not logged again by the call around it.
///
/// The span lasts until the task has ended as well.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::spawn` does.
///
/// # Cancel safety
///
/// Dropping the handle leaves the task running.
#[cfg(feature = "health")]
#[track_caller]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    use tracing::instrument::{Instrument as _, WithSubscriber as _};

    let future = CallId::current().carry(future.in_current_span());
    // A subscriber that every thread has anyway is not set again at each poll, which would slow all of them down.
    if logging::is_everywhere() {
        tokio::spawn(future)
    } else {
        tokio::spawn(future.with_current_subscriber())
    }
}
