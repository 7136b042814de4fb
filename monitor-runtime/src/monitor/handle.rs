//! The monitor itself: the answers to probes and scrapes, and the state that its clones share.

use std::fmt;
use std::sync::Arc;

use ::http::{HeaderMap, Request, Response};
use bytes::Bytes;

use super::endpoints::{Endpoints, answer};

/// Answers the probes and the scrapes of a service.
///
/// Clones are cheap and share everything; dropping the last one stops the checks. A process may have several monitors:
/// each has its own checks, and all share the metrics of the process.
///
/// The checks run in the background, on the tokio runtime on which [`build`](super::MonitorBuilder::build) was called.
/// If it was called outside of a runtime, they run on that of the first probe or of `serve`. The runtime needs its time
/// driver, which `#[tokio::main]` and `#[tokio::test]` enable. If the runtime ends, results become stale and readiness
/// fails.
///
/// [`answer`](Monitor::answer) returns a plain `http` response to a request for one of the routes, for use with any
/// server. With the feature `http`, `routes` gives the same as an `axum::Router`, `layer` adds request metrics, and
/// `serve` is a server with both. [`live`](Monitor::live), [`ready`](Monitor::ready), [`startup`](Monitor::startup) and
/// [`metrics`](Monitor::metrics) take no request, so they check no bearer token and show everything.
///
/// ```
/// use monitor_runtime::Monitor;
/// use monitor_runtime::health::check_fn;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let monitor = Monitor::builder()
///     .service("agent-service", env!("CARGO_PKG_VERSION"))
///     .check(check_fn("model", async || Ok::<_, std::io::Error>("model loaded")))
///     .build()?;
///
/// assert_eq!(monitor.live().body(), r#"{"status":"alive"}"#);
/// // The first run of the check has begun; until it passes, readiness is 503.
/// while monitor.ready().status() != 200 {
///     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Monitor {
    pub(super) endpoints: Arc<Endpoints>,
    #[cfg(feature = "http")]
    pub(super) servers: super::servers::Servers,
}

impl Monitor {
    /// Answers a liveness probe: always 200 `{"status":"alive"}`, without looking at any check.
    pub fn live(&self) -> Response<Bytes> {
        answer::alive()
    }

    /// Answers a readiness probe with the last result of each check: 200 if every critical check is healthy, else 503.
    ///
    /// It runs no check and does not wait. A check that has not passed yet is unhealthy. So is one whose last result is
    /// stale: older than three intervals plus the check's timeout.
    ///
    /// If the monitor was built outside of a runtime, the first call within one starts the checks there.
    pub fn ready(&self) -> Response<Bytes> {
        self.endpoints.ready()
    }

    /// Answers a startup probe: 503 until every critical check has passed once, though not all at the same time, and
    /// 200 from then on. Like [`ready`](Monitor::ready), it does not wait.
    pub fn startup(&self) -> Response<Bytes> {
        self.endpoints.startup()
    }

    /// Answers a scrape: 200 with every metric of the process (or of the builder's registry) in the Prometheus text
    /// format.
    ///
    /// The numbers are read after the call, never before it. Concurrent scrapes share one rendering: those that arrive
    /// during one share the next, and block their threads until it is done. Scrapes do not delay tracked calls, except
    /// the first call under a new id.
    pub fn metrics(&self) -> Response<Bytes> {
        answer::text(&self.endpoints.exposed)
    }

    /// Answers a scrape in the format that the request's headers ask for, as `/health/metrics` does; otherwise like
    /// [`metrics`](Monitor::metrics).
    ///
    /// `Accept` selects the Prometheus text format 0.0.4, OpenMetrics 1.0 or delimited `MetricFamily` messages,
    /// whichever has the highest weight. If none is accepted, it is the text format. `Accept-Encoding` selects gzip.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, header};
    /// use monitor_runtime::Monitor;
    ///
    /// # fn main() -> Result<(), monitor_runtime::BuildError> {
    /// let mut asked = HeaderMap::new();
    /// asked.insert(header::ACCEPT, HeaderValue::from_static("application/openmetrics-text; version=1.0.0"));
    /// let response = Monitor::builder().build()?.scrape(&asked);
    /// assert!(response.body().ends_with(b"# EOF\n"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn scrape(&self, asked: &HeaderMap) -> Response<Bytes> {
        answer::negotiated(&self.endpoints.exposed, asked)
    }

    /// Answers a request to one of the monitor's routes like the axum routes, for use with any other server. Returns
    /// `None` for any other path.
    ///
    /// It handles everything a request can ask for: `/health/ready?verbose`, `?exclude=<name>`, `/health/ready/<name>`,
    /// and the bearer token. Methods other than `GET` and `HEAD` get 405; omitting the body of an answer to `HEAD` is
    /// up to the server. A request for the metrics may block its thread, as [`metrics`](Monitor::metrics) does; no
    /// other request does. A wrong token is answered at once, however many there are; the axum routes slow them down.
    ///
    /// ```
    /// use http::Request;
    /// use monitor_runtime::Monitor;
    ///
    /// let monitor = Monitor::builder().build()?;
    /// let request = Request::get("/health/ready?verbose").body(())?;
    /// let response = monitor.answer(&request).ok_or("not a route of the monitor")?;
    /// assert_eq!(response.body(), "ready check passed\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn answer<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        self.endpoints.answer(request)
    }
}

#[cfg(feature = "runs")]
impl Monitor {
    /// Returns the recorded runs of the process, for tests and endpoints of your own. `None` before
    /// [`RunsBuilder::start`](crate::run::RunsBuilder::start).
    pub fn runs(&self) -> Option<crate::run::Runs> {
        crate::run::started()
    }
}

#[cfg(feature = "dashboard")]
impl Monitor {
    /// Returns the URL of the live page, if [`dashboard`](super::MonitorBuilder::dashboard) switched it on.
    pub fn dashboard_url(&self) -> Option<String> {
        self.endpoints.dashboard.as_ref()?;
        self.servers.admin_address().map(super::dashboard::url)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("checks", &self.endpoints.engine.names()).finish_non_exhaustive()
    }
}
