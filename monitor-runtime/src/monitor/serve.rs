//! `Monitor::serve`, and the routes, the layer and the stop for other servers.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use tower_service::Service;

use super::drain::{self, Stage, Stop, Watched};
use super::endpoints::routes;
use super::handle::Monitor;
use super::server::{App, Command, IncomingConnection, Server, TARGET};

impl Monitor {
    /// Returns `GET` (and `HEAD`) `/health/live`, `/health/ready`, `/health/ready/{name}`, `/health/startup` and
    /// `/health/metrics` as routes to merge into an application's.
    ///
    /// The routes fit a router with any state `S`, and nest anywhere. With a
    /// [`base_path`](super::MonitorBuilder::base_path) they are below it. With the feature `dashboard`,
    /// `Dashboard::on_main_port` adds the live page.
    ///
    /// Add [`layer`](Monitor::layer) to the application before merging, so that probes do not show up in the request
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
    pub fn routes<S>(&self) -> axum::Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let routes = routes::routes(&self.endpoints);
        #[cfg(feature = "dashboard")]
        if let Some(page) = super::page::main_routes(&self.endpoints) {
            return routes.merge(page);
        }
        routes
    }

    /// Returns the address of the admin listener, if [`admin_port`](super::MonitorBuilder::admin_port) or
    /// [`admin_address`](super::MonitorBuilder::admin_address) requested one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.servers.admin_address()
    }

    /// Returns the tower layer that counts and times requests, and binds their ids to log lines.
    pub fn layer(&self) -> crate::http::HttpLayer {
        let layer = crate::http::HttpLayer::new();
        #[cfg(feature = "tonic")]
        let layer = layer.with_grpc(self.servers.grpc.any());
        match self.servers.access_log {
            Some(access) => layer.access_log(access),
            None => layer,
        }
    }

    /// Serves an application under [`layer`](Monitor::layer) until the process is told to stop. The
    /// [`routes`](Monitor::routes) come first, outside of the layer.
    ///
    /// `make_service` is anything that `axum::serve` takes:
    ///
    /// * a `Router`, a `MethodRouter`, or the result of their `into_make_service`;
    /// * `app.into_make_service_with_connect_info::<C>()`, for `SocketAddr` or a type of your own. Such a type implements
    ///   [`Connected`](axum::extract::connect_info::Connected) for [`IncomingConnection`], as it does for axum's
    ///   `IncomingStream`;
    /// * any other service that makes one service for each connection, such as `tower::make::Shared`.
    ///
    /// The layer reads the matched route of a `Router` and of `Router::into_make_service`. It cannot see a router
    /// inside another service, so the requests of such a router are `unmatched`. Add [`layer`](Monitor::layer) to that
    /// router as well: the endpoints then have their names, and no request is counted twice.
    ///
    /// Handlers read the client's address from `ConnectInfo<L::Addr>`, which is `ConnectInfo<SocketAddr>` for TCP.
    /// [`ConnectionLimits`](crate::ConnectionLimits) bounds the number of connections, and how long each may make no
    /// progress.
    ///
    /// On SIGTERM or Ctrl-C it drains:
    ///
    /// 1. Readiness answers 503 `draining` at once; liveness still answers 200. Requests are served for the
    ///    [`drain_delay`](super::MonitorBuilder::drain_delay) (default 5 seconds), while the orchestrator takes the
    ///    process out of rotation. Answers ask HTTP/1 clients to close their connections.
    /// 2. The server stops accepting connections. Requests in flight may finish, and so may tracked agents, skills and
    ///    queries anywhere in the process, within the [`shutdown_timeout`](super::MonitorBuilder::shutdown_timeout)
    ///    (default 20 seconds). A connection without a complete request head is not waited for.
    /// 3. Connections are closed, the log is flushed, and `serve` returns.
    ///
    /// Ctrl-C (SIGINT) ends the delay as soon as no request and no tracked call is in flight, since only an
    /// orchestrator needs the delay. [`stop`](Monitor::stop) begins the stop of SIGTERM from within the process.
    ///
    /// A second signal ends the delay or the wait at once. One more ends the wait for an output that accepts no lines.
    ///
    /// After a second signal, or when time is up, everything still in flight is cut: its connections are closed, and
    /// the last log lines name and count it at `warn` as `request cut`, `agent cut`, `skill cut`, `query cut` and
    /// `connection cut`, followed by `stopped before all was done`. If nothing was cut, the last line is `stopped:
    /// nothing was cut`.
    ///
    /// The drain runs on its own thread, `monitor-stop`, so a blocked runtime does not delay it. If the runtime is
    /// blocked and `serve` has not returned a second after the cut, that thread ends the process with exit code 0.
    ///
    /// The signal handlers are installed first, and stay installed. If the application has a route with the path of a
    /// monitor route, the monitor answers. SIGHUP is not handled: it ends the process without a drain, unless the
    /// application handles it.
    ///
    /// ```no_run
    /// use axum::{Router, routing::get};
    /// use monitor_runtime::Monitor;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let monitor = Monitor::builder().build()?;
    ///     let app = Router::new().route("/ask", get(async || "42"));
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     Ok(monitor.serve(listener, app).await?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the signal handlers cannot be installed, their thread cannot be started, or the process has too few
    /// file descriptors left for connections.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting. Requests in flight are still answered, and their connections closed
    /// afterwards.
    pub async fn serve<L, M, S>(&self, listener: L, make_service: M) -> io::Result<()>
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
        M: for<'a> Service<IncomingConnection<'a, L>, Response = S, Error = Infallible> + Send + 'static,
        for<'a> <M as Service<IncomingConnection<'a, L>>>::Future: Send,
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let engine = &self.endpoints.engine;
        let Watched { stop, mut stage } =
            drain::watch(&self.servers.serving, &self.endpoints.engine, |stage| stage < Stage::Over)?;
        let running = stop.run();
        engine.start();
        if let Some(admin) = &self.servers.admin {
            admin.heartbeat.watch_this_runtime();
        }
        let connections = Arc::clone(stop.connections());
        let number = connections.number_server();
        // Requests that have begun are answered however this future ends.
        let _finish = Finish { stop: Arc::clone(&stop), number };
        let server = Server {
            connections,
            number,
            app: App::new(make_service, self.routes(), self.layer()).await,
            endpoints: Arc::clone(&self.endpoints),
            reserve: None,
        };
        server.prepare()?;
        let (mut stopping, mut over) = (stage.clone(), stage.clone());
        let accepted = server.accept(listener, async { reached(&mut stopping, Stage::Stopping).await });
        // A blocked runtime drives neither timers nor sockets. The end of the stop still arrives, since another thread
        // sends it.
        tokio::select! {
            () = accepted => {
                stop.connections().tell(Command::Finish);
                reached(&mut stage, Stage::Over).await;
            }
            () = reached(&mut over, Stage::Over) => {}
        }
        drop(running);
        Ok(())
    }

    /// Waits for the stop signal and the end of the [`drain_delay`](super::MonitorBuilder::drain_delay), for other
    /// servers: `axum::serve(listener, app).with_graceful_shutdown(monitor.shutdown())`, or any that takes a future.
    ///
    /// The rest is as in [`serve`](Monitor::serve): readiness answers 503 `draining`, requests under
    /// [`layer`](Monitor::layer) and tracked calls are waited for, and the last log lines name everything that was cut.
    ///
    /// The call installs the signal handlers, which stay installed. If that fails, an error is logged and the future
    /// never completes.
    ///
    /// ```no_run
    /// use axum::{Router, routing::get};
    /// use monitor_runtime::Monitor;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let monitor = Monitor::builder().build()?;
    ///     let app = Router::new().route("/ask", get(async || "42"));
    ///     let app = app.layer(monitor.layer()).merge(monitor.routes());
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     let server = axum::serve(listener, app).with_graceful_shutdown(monitor.shutdown());
    ///     tokio::select! {
    ///         served = server => served?,
    ///         () = monitor.drained() => {}
    ///     }
    ///     monitor.drained().await;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not affect a stop in progress. Once all such futures and servers are dropped, signals
    /// are no longer handled.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stage(Stage::Stopping)
    }

    /// Waits for the end of a stop: nothing is in flight any more, or the stop was cut short, and the last log lines
    /// are flushed. The process should exit then.
    ///
    /// Wait for it while the server runs, since a server may wait forever for an idle connection; and again afterwards,
    /// since tracked calls may outlive the server. [`shutdown`](Monitor::shutdown) has an example.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the stop.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stage(Stage::Over)
    }

    /// Begins the stop that SIGTERM begins, from within the process.
    ///
    /// Readiness answers 503 `draining`, the [`drain_delay`](super::MonitorBuilder::drain_delay) passes, and requests
    /// and calls in flight may finish. [`shutdown`](Monitor::shutdown) completes after the delay,
    /// [`serve`](Monitor::serve) and [`drained`](Monitor::drained) at the end of the stop.
    ///
    /// It returns at once, on any thread, and any clone of the monitor can call it. Once a stop has begun, it has no
    /// effect. A signal after it ends the delay or the wait, like a second signal. The line
    /// `draining: readiness answers 503` has `Monitor::stop` as its `signal`.
    ///
    /// If nobody serves or waits, the stop begins nevertheless, and ends once nothing is in flight. If the signal
    /// handlers cannot be installed, an error is logged, and nothing stops.
    ///
    /// ```no_run
    /// use axum::{Router, routing::post};
    /// use monitor_runtime::Monitor;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let monitor = Monitor::builder().build()?;
    ///     let handle = monitor.clone();
    ///     let app = Router::new().route("/quit", post(async move || handle.stop()));
    ///     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    ///     Ok(monitor.serve(listener, app).await?)
    /// }
    /// ```
    pub fn stop(&self) {
        match drain::watch(&self.servers.serving, &self.endpoints.engine, |_| true) {
            Ok(Watched { stop, .. }) => stop.begin(),
            Err(error) => cannot_wait(&error),
        }
    }

    fn stage(&self, wanted: Stage) -> impl Future<Output = ()> + Send + use<> {
        // Also joins a stop that is over, so that late callers do not wait.
        let watched = drain::watch(&self.servers.serving, &self.endpoints.engine, |_| true);
        async move {
            match watched {
                Ok(Watched { mut stage, .. }) => reached(&mut stage, wanted).await,
                Err(error) => {
                    cannot_wait(&error);
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

fn cannot_wait(error: &io::Error) {
    tracing::error!(target: TARGET, %error, "the process cannot wait for signals: it will not drain");
}

/// Waits until the stop has reached `wanted`, or a later stage.
async fn reached(stage: &mut tokio::sync::watch::Receiver<Stage>, wanted: Stage) {
    // The channel closes after its last stage.
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}

/// On drop, lets the connections of this server finish. Those of other servers of the same stop continue, including
/// later ones.
struct Finish {
    stop: Arc<Stop>,
    number: usize,
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.stop.connections().finish(self.number);
    }
}
