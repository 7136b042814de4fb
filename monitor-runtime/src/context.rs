//! What log lines say of where they were emitted: bind more of it, and carry it into tasks, onto other threads and on to other services.
//!
//! The context is that of the `tracing` spans around a line; a tracked call and a request each open one.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tracing::{Dispatch, Level, Span, Value, dispatcher};

use crate::TraceContext;
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

/// Where a line is written: the tracked call, the span and the `tracing` subscriber of the code that asked for it by [`current`].
///
/// It takes them to another thread. The span lasts until the last copy of it is dropped as well.
#[derive(Clone, Debug)]
pub struct Context {
    call: CallId,
    span: Span,
    /// None if every thread has it anyway: setting one slows all threads down.
    subscriber: Option<Dispatch>,
}

/// The context here, for code that runs on another thread.
///
/// Inside of [`Context::in_scope`] lines carry what lines here carry, and an error that a tracked call logs there is not logged
/// again by the call around this one. That is for threads, thread pools and parallel iterators; of a future use [`carry`].
///
/// ```
/// use monitor_runtime::{context, track_skill};
///
/// #[track_skill]
/// fn index(shelves: &[&str]) {
///     let here = context::current();
///     std::thread::scope(|scope| {
///         for shelf in shelves {
///             let here = &here;
///             scope.spawn(move || here.in_scope(|| tracing::info!(shelf, "indexed")));
///         }
///     });
/// }
/// # index(&["tea", "salt"]);
/// ```
pub fn current() -> Context {
    let subscriber = (!logging::is_everywhere()).then(|| dispatcher::get_default(Dispatch::clone));
    Context { call: CallId::current(), span: Span::current(), subscriber }
}

impl Context {
    /// Runs `work` in this context, on the thread at hand.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _subscriber = self.subscriber.as_ref().map(dispatcher::set_default);
        let _span = self.span.enter();
        let _call = self.call.enter();
        work()
    }
}

/// Makes a future run in the context of the code that calls this, wherever it is polled.
///
/// For what takes futures other than by [`spawn`]: a `JoinSet`, `spawn_local`, another runtime.
///
/// # Cancel safety
///
/// That of the future itself; it is dropped in the context as well.
///
/// ```
/// use monitor_runtime::{context, track_agent, track_skill};
/// use tokio::task::JoinSet;
///
/// #[track_skill]
/// async fn read(shelf: &'static str) -> Result<(), String> {
///     Err(format!("{shelf} is empty"))
/// }
///
/// #[track_agent]
/// async fn read_all() -> Result<(), String> {
///     let mut tasks = JoinSet::new();
///     tasks.spawn(context::carry(read("tea")));
///     while let Some(ended) = tasks.join_next().await {
///         ended.map_err(|error| error.to_string())??; // logged once, by `read`
///     }
///     Ok(())
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(read_all()).unwrap_err();
/// ```
pub fn carry<F: Future>(future: F) -> Carried<F> {
    Carried { future: Some(future), context: current() }
}

pin_project! {
    /// The future that [`carry`] makes.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Carried<F> {
        // `None` only while it is dropped.
        #[pin]
        future: Option<F>,
        context: Context,
    }

    impl<F> PinnedDrop for Carried<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What its locals log as they are dropped belongs to the context.
            this.context.in_scope(|| this.future.set(None));
        }
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future.as_pin_mut();
        this.context.in_scope(|| future.map_or(Poll::Pending, |future| future.poll(cx)))
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
    tokio::spawn(carry(future))
}

/// Runs blocking work as `tokio::task::spawn_blocking` does, with the context carried over as [`spawn`] does.
///
/// ```
/// use monitor_runtime::context;
///
/// async fn hash(password: String) -> Result<usize, tokio::task::JoinError> {
///     context::spawn_blocking(move || {
///         tracing::info!("hashing"); // carries the request and the agent
///         password.len()
///     })
///     .await
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # assert_eq!(runtime.block_on(hash("tea".to_owned())).unwrap(), 3);
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::task::spawn_blocking` does.
///
/// # Cancel safety
///
/// Dropping the handle leaves the work running. Work that has begun cannot be aborted.
#[cfg(feature = "health")]
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    let here = current();
    tokio::task::spawn_blocking(move || here.in_scope(work))
}
