//! A server with everything in its place.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;

use super::Monitor;
use super::drain::{self, Server};

/// The logger of lines about the server's end.
pub(super) const TARGET: &str = "monitor_runtime::serve";

impl Monitor {
    /// Serves `app` under [`layer`](Monitor::layer), with [`routes`](Monitor::routes) in front of it and outside
    /// of the layer, until the process is told to stop.
    ///
    /// On SIGTERM or Ctrl-C it drains:
    ///
    /// 1. Readiness answers 503 `draining` at once; liveness stays 200. Everything is served as before for the
    ///    [`drain_delay`](super::MonitorBuilder::drain_delay), 5 seconds when not set, in which an orchestrator turns traffic
    ///    away.
    /// 2. No further connections are accepted. Requests in flight may finish, and so may tracked agents, skills and queries
    ///    of the process, wherever they run, within the [`shutdown_timeout`](super::MonitorBuilder::shutdown_timeout), 20
    ///    seconds when not set.
    /// 3. The log is flushed, and `serve` returns.
    ///
    /// A second signal ends the wait at once, whichever it is. What is cut then, or when time is up, is named and counted by
    /// the last log lines, at `warn`: `request cut`, `agent cut`, `skill cut` and `query cut`, then `stopped before all was
    /// done`. It goes with the runtime.
    ///
    /// All this is done by a thread of its own, `monitor-stop`, which a blocked runtime does not hold up. If the runtime
    /// is so blocked that `serve` has not returned a second after it should have been cut short, that thread ends the
    /// process, with exit code 0.
    ///
    /// The signal handlers are installed before anything else; they stay installed. Where `app` has a route of ours,
    /// ours answers.
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
    /// When the signal handlers cannot be installed, or their thread cannot be started.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; requests in flight are answered, and their connections closed then.
    pub async fn serve<L>(&self, listener: L, app: Router) -> io::Result<()>
    where
        L: Listener,
        L::Addr: fmt::Debug,
    {
        let engine = &self.inner.engine;
        let Server { stop, open, over, running } =
            drain::watch(Arc::clone(engine), self.inner.stopping).await?;
        engine.start();
        if let Some(admin) = &self.admin {
            admin.heartbeat.watch_this_runtime();
        }
        let service = self.routes().fallback_service(app.layer(self.layer()));
        let server = axum::serve(listener, service).with_graceful_shutdown(async { drop(stop.await) });
        let (mut server, mut over) = (pin!(server.into_future()), over);
        let ended = tokio::select! {
            ended = &mut server => ended,
            _ = &mut over => return Ok(()),
        };
        drop(open);
        if engine.is_draining() {
            // It closes, with or without a value.
            let _ = over.await;
        }
        drop(running);
        ended
    }
}
