//! A server with everything in its place.

use std::fmt;
use std::io;

use axum::Router;
use axum::serve::Listener;

use super::Monitor;

impl Monitor {
    /// Serves `app` under [`layer`](Monitor::layer), with [`routes`](Monitor::routes) in front of it and outside
    /// of the layer, until the process is told to stop.
    ///
    /// On SIGTERM or Ctrl-C it accepts no further connections, lets the requests in flight finish, and returns. The
    /// signal handlers are installed before anything else; they stay installed. Where `app` has a route of ours,
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
    /// When the signal handlers cannot be installed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; connections that are open are served on.
    pub async fn serve<L>(&self, listener: L, app: Router) -> io::Result<()>
    where
        L: Listener,
        L::Addr: fmt::Debug,
    {
        let stop = StopSignals::install()?;
        self.inner.engine.start();
        let service = self.routes().fallback_service(app.layer(self.layer()));
        axum::serve(listener, service).with_graceful_shutdown(stop.received()).await
    }
}

/// What an operator or an orchestrator stops a process with. Signals that come after `install` are not lost.
struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl StopSignals {
    #[cfg(unix)]
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(windows)]
    fn install() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    #[cfg(unix)]
    async fn received(mut self) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        };
        tracing::info!(target: "monitor_runtime::serve", signal, "stopping: requests in flight may finish");
    }

    #[cfg(windows)]
    async fn received(mut self) {
        self.interrupt.recv().await;
        tracing::info!(target: "monitor_runtime::serve", signal = "Ctrl-C", "stopping: requests in flight may finish");
    }
}
