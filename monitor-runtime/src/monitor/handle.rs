//! The monitor itself: what answers, and what its clones share.

use std::fmt;
#[cfg(feature = "http")]
use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{HeaderMap, Request, Response};
use bytes::Bytes;

#[cfg(feature = "http")]
use super::admin::Admin;
#[cfg(feature = "http")]
use super::drain::Serving;
use super::endpoints::{Endpoints, answer};

/// Answers the probes and the scrape of a service.
///
/// Cloning is cheap, and clones are one monitor; when the last is dropped, its checks stop. A process can have
/// several: checks are each monitor's own, metrics are the process's.
///
/// The checks run in the background on the tokio runtime that [`build`](super::MonitorBuilder::build) is called on, or,
/// when it is called outside of one, on that of the first probe or of `serve`. The runtime needs its time driver,
/// which `#[tokio::main]` and `#[tokio::test]` enable. Should it end, the readings age and readiness with them.
///
/// [`answer`](Monitor::answer) gives a plain `http` response to each request for one of the routes, for any server; with
/// the feature `http`, `routes` gives the same as an `axum::Router`, `layer` the request metrics and `serve` a server
/// with all of it. [`live`](Monitor::live), [`ready`](Monitor::ready), [`startup`](Monitor::startup) and
/// [`metrics`](Monitor::metrics) know of no request, and show everything to whoever calls them.
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
/// // The first run of a check has begun; until it passes, readiness is 503.
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
    pub(super) serving: Arc<Serving>,
    /// The listener answers from the endpoints alone, so it ends with the last clone of the monitor.
    #[cfg(feature = "http")]
    pub(super) admin: Option<Arc<Admin>>,
}

impl Monitor {
    /// Answers a liveness probe: 200 `{"status":"alive"}`, without looking at anything.
    pub fn live(&self) -> Response<Bytes> {
        answer::alive()
    }

    /// Answers a readiness probe: 200 when every critical check is healthy, else 503, with each check's last reading.
    ///
    /// It runs no check and waits for none. A check that has not passed yet is not healthy. A reading older than three
    /// intervals and the check's timeout is stale, which is unhealthy.
    ///
    /// If the monitor was built outside of a runtime, the first call within one starts the checks there.
    pub fn ready(&self) -> Response<Bytes> {
        self.endpoints.ready()
    }

    /// Answers a startup probe: 503 until every critical check has passed once, not necessarily at one time, then 200
    /// for good. Like [`ready`](Monitor::ready), it waits for nothing.
    pub fn startup(&self) -> Response<Bytes> {
        self.endpoints.startup()
    }

    /// Answers a scrape: 200 with every metric of the process (or of the registry that the builder was given) in
    /// the Prometheus text format, as of a moment after the call.
    ///
    /// Scrapes at the same time share one rendering: those that come while one is under way share the next, and block their
    /// threads until it is done. A call under an id that its function has used before does not wait for a scrape.
    pub fn metrics(&self) -> Response<Bytes> {
        answer::text(&self.endpoints.exposed)
    }

    /// Answers a scrape in the form that its request's headers ask for, as `/health/metrics` does; otherwise as
    /// [`metrics`](Monitor::metrics) does.
    ///
    /// By `Accept` it is the Prometheus text format 0.0.4, OpenMetrics 1.0 or delimited `MetricFamily` messages, whichever has
    /// the highest weight, and the text format where none of them has any. By `Accept-Encoding` it is compressed with gzip.
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

    /// Answers a request to one of the monitor's routes as the axum routes do, for any other server; `None` where the
    /// path is none of them.
    ///
    /// Takes in all that a request can ask for: `/health/ready?verbose`, `?exclude=<name>`, `/health/ready/<name>`, and the
    /// bearer token. Methods other than `GET` and `HEAD` are answered 405; the server leaves the body of a `HEAD` out. A
    /// request for the metrics may block its thread as [`metrics`](Monitor::metrics) does, any other does not.
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

#[cfg(feature = "http")]
impl Monitor {
    /// Gives `GET` (and `HEAD`) `/health/live`, `/health/ready`, `/health/ready/{name}`, `/health/startup` and
    /// `/health/metrics` as routes to merge into an application's.
    ///
    /// Add [`layer`](Monitor::layer) to the application before merging, and probes do not show in the request
    /// metrics:
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use monitor_runtime::Monitor;
    /// # fn app() -> Result<Router, monitor_runtime::BuildError> {
    /// let monitor = Monitor::builder().build()?;
    /// let app = Router::new().route("/ask", get(async || "42")).layer(monitor.layer()).merge(monitor.routes());
    /// # Ok(app)
    /// # }
    /// ```
    pub fn routes(&self) -> axum::Router {
        super::endpoints::routes::routes(Arc::clone(&self.endpoints))
    }

    /// The address of the admin listener, if [`admin_port`](super::MonitorBuilder::admin_port) or
    /// [`admin_address`](super::MonitorBuilder::admin_address) asked for one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// Gives the tower layer that counts and times requests and binds their id.
    pub fn layer(&self) -> crate::http::HttpLayer {
        crate::http::HttpLayer::new()
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("checks", &self.endpoints.engine.names()).finish_non_exhaustive()
    }
}
