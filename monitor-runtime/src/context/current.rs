//! The context of the calling code.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tracing::{Dispatch, Level, Span, Value, dispatcher};

use crate::call::Place;
use crate::logging;
use crate::trace_context::TraceContext;

/// Binds a value to every following log line until the innermost span ends: that of the tracked call, of the request,
/// or one that you opened.
///
/// Spans opened inside it inherit the value; spans that are already open do not change. Binding a name again replaces
/// its value. A value is any that `tracing` accepts: numbers, `bool`, `&str`, `String`, `Option` (`None` binds
/// nothing), and [`tracing::field::display`] or [`debug`](tracing::field::debug) of anything else.
///
/// Outside of any span the value is not bound. The first such call of the process logs a warning.
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
        tracing::warn!(target: "monitor_runtime::context", name, "cannot bind the field: no span that is logged is open here");
    }
}

/// Returns the id of the innermost agent that the calling code runs in; `None` outside of any.
///
/// It is the `agent_id` of a log line written here, and follows the context to [other tasks and threads](current). It
/// is read from the spans, so it is also `None` if lines carry no ids: without this crate's logging, or inside an agent
/// whose `level` is not logged.
///
/// ```
/// use monitor_runtime::{context, track_agent};
///
/// #[track_agent("planner")]
/// fn plan() -> Option<String> {
///     spend(17);
///     context::current_agent()
/// }
///
/// /// A helper that every agent calls.
/// fn spend(tokens: u64) {
///     tracing::info!(tokens, by = context::current_agent(), "spent");
/// }
/// # let mut agent = None;
/// # monitor_runtime::testing::capture_logs(|| agent = plan());
/// # assert_eq!(agent.as_deref(), Some("planner"));
/// ```
pub fn current_agent() -> Option<String> {
    logging::bound_text("agent_id")
}

/// Returns the id of the innermost skill that the calling code runs in; `None` outside of any.
///
/// It is the `skill_id` of a log line written here; see [`current_agent`]. An agent that a skill calls runs inside that
/// skill.
pub fn current_skill() -> Option<String> {
    logging::bound_text("skill_id")
}

/// Returns the trace context that an outgoing call should send as its parent; `None` outside of any trace.
///
/// If spans are exported (feature `otlp`), it is the innermost exported span. Otherwise it is the context that the
/// [`HttpLayer`](crate::http::HttpLayer) read from the headers of the current request.
///
/// ```
/// // For a transport without HTTP headers, such as a message queue.
/// fn headers() -> Vec<(&'static str, String)> {
///     let trace = monitor_runtime::context::trace_context();
///     trace.map(|trace| ("traceparent", trace.to_string())).into_iter().collect()
/// }
/// ```
pub fn trace_context() -> Option<TraceContext> {
    logging::trace_context()
}

/// Writes the headers `traceparent` and `tracestate` of an outgoing call, so that the called service continues the
/// trace.
///
/// Both replace existing headers of that name. Outside of any trace, `headers` stay unchanged.
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

/// A captured context, returned by [`current`]: the tracked call, the span and the `tracing` subscriber of the calling
/// code.
///
/// It can be sent to another thread. The span stays open until the last clone of the context is dropped.
#[derive(Clone, Debug)]
pub struct Context {
    place: Place,
    span: Span,
    /// `None` if every thread has it anyway: setting a subscriber for one thread slows all threads down.
    subscriber: Option<Dispatch>,
}

/// Captures the current context, for code that runs on another thread.
///
/// Lines inside [`Context::in_scope`] carry the same fields as lines here. An error that a tracked call logs there is
/// not logged again by the tracked call around `current`. Use it for threads, thread pools and parallel iterators; use
/// [`carry`] for a future.
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
    let subscriber = (!logging::is_global_default()).then(|| dispatcher::get_default(Dispatch::clone));
    Context { place: Place::current(), span: Span::current(), subscriber }
}

impl Context {
    /// Runs `work` in this context, on the current thread.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _subscriber = self.subscriber.as_ref().map(dispatcher::set_default);
        let _span = self.span.enter();
        let _place = self.place.enter();
        work()
    }
}

/// Wraps a closure so that it runs in the caller's context, on whichever thread it is called.
///
/// It combines [`current`] and [`Context::in_scope`], for functions that take one closure: `std::thread::spawn`,
/// `rayon::spawn`, the queue of a thread pool. A closure that is never called is dropped in the context, too.
///
/// ```
/// use monitor_runtime::{context, track_agent};
///
/// #[track_agent]
/// fn plan() -> std::thread::JoinHandle<()> {
///     std::thread::spawn(context::in_scope(|| tracing::info!("planning"))) // carries `agent_id`
/// }
/// # plan().join().unwrap();
/// ```
pub fn in_scope<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let scoped = Scoped { work: Some(work), context: current() };
    move || scoped.run()
}

/// A closure that is called, or dropped, in a context.
struct Scoped<W> {
    /// `None` once it is called.
    work: Option<W>,
    context: Context,
}

impl<T, W: FnOnce() -> T> Scoped<W> {
    fn run(mut self) -> T {
        let work = self.work.take();
        self.context.in_scope(|| match work {
            Some(work) => work(),
            None => unreachable!("a closure is called once"),
        })
    }
}

impl<W> Drop for Scoped<W> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.context.in_scope(|| drop(work));
        }
    }
}

/// Wraps a future so that it runs in the caller's context, wherever it is polled.
///
/// Use it with spawners other than [`spawn`]: a `JoinSet`, `spawn_local`, another runtime.
///
/// # Cancel safety
///
/// The wrapped future is exactly as cancel safe as `future` itself. It is dropped in the context, too.
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
    /// The future returned by [`carry`].
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
            // Lines that its locals log in their `Drop` belong to the context.
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

/// Spawns a task as `tokio::spawn` does, in the current context.
///
/// The task runs inside the current span and under the current `tracing` subscriber. An error that is logged inside it
/// is not logged again by the tracked call around `spawn`. The span stays open until the task has ended.
///
/// # Panics
///
/// Panics outside of a tokio runtime, as `tokio::spawn` does.
///
/// # Cancel safety
///
/// Dropping the handle does not stop the task.
#[cfg(feature = "health")]
#[track_caller]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(carry(future))
}

/// Runs blocking work as `tokio::task::spawn_blocking` does, in the current context, like [`spawn`].
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
/// Panics outside of a tokio runtime, as `tokio::task::spawn_blocking` does.
///
/// # Cancel safety
///
/// Dropping the handle does not stop the work. Work that has started cannot be aborted.
#[cfg(feature = "health")]
#[track_caller]
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(in_scope(work))
}
