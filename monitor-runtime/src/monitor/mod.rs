//! The one thing a service mounts: its checks, its endpoints, its server.

#[cfg(feature = "http")]
mod admin;
mod answer;
mod builder;
mod checks;
#[cfg(feature = "http")]
mod drain;
mod error;
#[cfg(feature = "http")]
mod limits;
mod names;
#[cfg(feature = "sqlx")]
mod pools;
#[cfg(feature = "http")]
mod serve;
#[cfg(feature = "http")]
mod server;
#[cfg(feature = "http")]
mod signals;
#[cfg(feature = "http")]
mod stopping;
#[cfg(feature = "http")]
mod threads;

use std::fmt;
use std::future::poll_fn;
#[cfg(feature = "http")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use ::http::{HeaderMap, Response};
use bytes::Bytes;

pub use builder::MonitorBuilder;
pub use error::BuildError;
#[cfg(feature = "http")]
pub use limits::ConnectionLimits;

use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::health::{self, Engine, Guard, Question};

/// Answers the probes and the scrape of a service.
///
/// Cloning is cheap, and clones are one monitor; when the last is dropped, its checks stop. A process can have
/// several: checks are each monitor's own, metrics are the process's.
///
/// The checks run in the background on the tokio runtime that [`build`](MonitorBuilder::build) is called on, or,
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
/// while monitor.ready().await.status() != 200 {
///     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Monitor {
    inner: Arc<Inner>,
    /// Held by the application's clones; the listener itself has one without.
    #[cfg(feature = "http")]
    admin: Option<Arc<admin::Admin>>,
}

struct Inner {
    engine: Arc<Engine>,
    guard: Guard,
    exposed: ScrapeRegistry,
    #[cfg(feature = "http")]
    serving: serve::Serving,
    /// Held so that their gauges are shown for as long as the monitor lives.
    #[cfg(feature = "sqlx")]
    _pools: pools::Pools,
}

impl Monitor {
    /// Begins a monitor without checks.
    pub fn builder() -> MonitorBuilder {
        MonitorBuilder::new()
    }

    /// Answers a liveness probe: 200 `{"status":"alive"}`, without looking at anything.
    pub fn live(&self) -> Response<Bytes> {
        health::alive()
    }

    /// Answers a readiness probe: 200 when every critical check is healthy, else 503, with each check's last reading.
    ///
    /// No check is run or waited for: the first poll gives the answer. A check that has not passed yet is not healthy. A
    /// reading older than three intervals and the check's timeout is stale, which is unhealthy.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the checks.
    pub fn ready(&self) -> impl Future<Output = Response<Bytes>> {
        // Not before it is polled, as that may be what starts the checks, on the runtime that polls.
        poll_fn(|_| {
            let health = self.inner.engine.health();
            Poll::Ready(health::readiness(&health, &Question::default(), true))
        })
    }

    /// Answers a startup probe: 503 until every critical check has passed once, not necessarily at one time, then 200
    /// for good. Waits as little as [`ready`](Monitor::ready).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the checks.
    pub fn startup(&self) -> impl Future<Output = Response<Bytes>> {
        poll_fn(|_| {
            let engine = &self.inner.engine;
            let views = engine.views();
            Poll::Ready(health::startup(engine.is_started(), &views, true))
        })
    }

    /// Answers a scrape: 200 with every metric of the process (or of the registry that the builder was given) in
    /// the Prometheus text format, as of a moment after the call.
    ///
    /// Scrapes at the same time share one rendering: those that come while one is under way share the next, and block their
    /// threads until it is done. A call under an id that its function has used before does not wait for a scrape.
    pub fn metrics(&self) -> Response<Bytes> {
        health::text(&self.inner.exposed)
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
        health::negotiated(&self.inner.exposed, asked)
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
        health::routes(self.clone())
    }

    /// The address of the admin listener, if [`admin_port`](MonitorBuilder::admin_port) or
    /// [`admin_address`](MonitorBuilder::admin_address) asked for one.
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
        f.debug_struct("Monitor").field("checks", &self.inner.engine.names()).finish_non_exhaustive()
    }
}
