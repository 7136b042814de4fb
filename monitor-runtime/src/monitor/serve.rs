//! A server with everything in its place, and the stop for servers of other makes.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;

use super::drain::{self, Stage, Stop, Watched};
use super::handle::Monitor;
use super::server::{Command, Server, TARGET};

impl Monitor {
    /// Serves `app` under [`layer`](Monitor::layer), with [`routes`](Monitor::routes) in front of it and outside
    /// of the layer, until the process is told to stop.
    ///
    /// Handlers find the client's address by `ConnectInfo<L::Addr>`, which is `ConnectInfo<SocketAddr>` for TCP. How many
    /// connections there are at once, and how long each may make no progress, is limited; see [`ConnectionLimits`](crate::ConnectionLimits).
    ///
    /// On SIGTERM or Ctrl-C it drains:
    ///
    /// 1. Readiness answers 503 `draining` at once; liveness stays 200. Everything is served as before for the
    ///    [`drain_delay`](super::MonitorBuilder::drain_delay), 5 seconds when not set, in which an orchestrator turns traffic
    ///    away. Answers ask HTTP/1 clients to close their connections.
    /// 2. No further connections are accepted. Requests in flight may finish, and so may tracked agents, skills and queries
    ///    of the process, wherever they run, within the [`shutdown_timeout`](super::MonitorBuilder::shutdown_timeout), 20
    ///    seconds when not set. A connection without a whole head of a request is not waited for.
    /// 3. Connections are closed, the log is flushed, and `serve` returns.
    ///
    /// A second signal ends the delay, or the wait for what is in flight, at once; one more ends the wait for an output that
    /// takes no lines. What is cut then, or when time is up, is named and counted by
    /// the last log lines, at `warn`: `request cut`, `agent cut`, `skill cut`, `query cut` and `connection cut`, then `stopped
    /// before all was done`. Its connections are closed before that is said. Where nothing was cut, the last line is
    /// `stopped: nothing was cut`.
    ///
    /// All this is done by a thread of its own, `monitor-stop`, which a blocked runtime does not hold up. If the runtime
    /// is so blocked that `serve` has not returned a second after it should have been cut short, that thread ends the
    /// process, with exit code 0.
    ///
    /// The signal handlers are installed before anything else; they stay installed. Where `app` has a route of ours,
    /// ours answers. SIGHUP is left alone: it ends the process without a drain, unless the application handles it.
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
    /// When the signal handlers cannot be installed, their thread cannot be started, or the process has no file
    /// descriptors left for connections.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; requests in flight are answered, and their connections closed then.
    pub async fn serve<L>(&self, listener: L, app: Router) -> io::Result<()>
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
    {
        let engine = &self.endpoints.engine;
        let Watched { stop, mut stage } =
            drain::watch(&self.serving, &self.endpoints.engine, |stage| stage < Stage::Over)?;
        let running = stop.run();
        engine.start();
        if let Some(admin) = &self.admin {
            admin.heartbeat.watch_this_runtime();
        }
        let connections = Arc::clone(stop.connections());
        let number = connections.number_server();
        // However it ends, what has begun is answered.
        let _finish = Finish { stop: Arc::clone(&stop), number };
        let server = Server {
            connections,
            number,
            router: self.routes().fallback_service(app.layer(self.layer())),
            engine: Arc::clone(engine),
            reserve: None,
        };
        server.prepare()?;
        let (mut stopping, mut over) = (stage.clone(), stage.clone());
        let accepted = server.accept(listener, async { reached(&mut stopping, Stage::Stopping).await });
        // Of a blocked runtime neither timers nor sockets are heard; the end of the stop is, as another thread tells it.
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

    /// Waits until the process has been told to stop and the [`drain_delay`](super::MonitorBuilder::drain_delay) is over, for
    /// a server of your own: `axum::serve(listener, app).with_graceful_shutdown(monitor.shutdown())`, or any that takes a
    /// future. What [`serve`](Monitor::serve) does on a signal is done for it as well: readiness answers 503 `draining`, requests
    /// under [`layer`](Monitor::layer) and tracked calls are waited for, and the last lines name what was cut.
    ///
    /// The signal handlers are installed by the call, and stay so. Where that is impossible, an error is logged, and the
    /// future never ends.
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
    /// Dropping the future has no effect on a stop that has begun. Once all such futures and servers are gone, signals are
    /// no longer waited for.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stage(Stage::Stopping)
    }

    /// Waits until a stop is over: nothing is in flight any more, or it was cut short, and the last lines are flushed. Then
    /// the process is to end.
    ///
    /// Wait for it beside a server, which may wait for ever for a connection on which nothing is in flight, and behind
    /// it, since tracked calls may outlive the server; see [`shutdown`](Monitor::shutdown).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the stop.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stage(Stage::Over)
    }

    fn stage(&self, wanted: Stage) -> impl Future<Output = ()> + Send + use<> {
        // After a stop, those who wait for it are to go on.
        let watched = drain::watch(&self.serving, &self.endpoints.engine, |_| true);
        async move {
            match watched {
                Ok(Watched { mut stage, .. }) => reached(&mut stage, wanted).await,
                Err(error) => {
                    tracing::error!(target: TARGET, %error, "the process cannot wait for signals: it will not drain");
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Waits for a stage of the stop, or a later one.
async fn reached(stage: &mut tokio::sync::watch::Receiver<Stage>, wanted: Stage) {
    // It closes after its last stage.
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}

/// Has the connections of a server that is gone finish. Others of the same stop go on, and so do those still to come.
struct Finish {
    stop: Arc<Stop>,
    number: usize,
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.stop.connections().finish(self.number);
    }
}
