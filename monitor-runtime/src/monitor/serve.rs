//! A server with everything in its place.

use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::sync::oneshot;

use super::Monitor;
use super::signals::StopSignals;
use crate::registry;

/// The logger of lines about the server's end.
const TARGET: &str = "monitor_runtime::serve";

impl Monitor {
    /// Serves `app` under [`layer`](Monitor::layer), with [`routes`](Monitor::routes) in front of it and outside
    /// of the layer, until the process is told to stop.
    ///
    /// On SIGTERM or Ctrl-C it accepts no further connections, lets the requests in flight finish, and returns. It
    /// waits for them for the [`shutdown_timeout`](super::MonitorBuilder::shutdown_timeout) at most, 25 seconds when
    /// not set, so that a client who is slow or silent keeps no process from ending; a second signal ends the wait at
    /// once. What was still open then goes with the runtime, and a warning says so.
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
    /// When the signal handlers cannot be installed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting; requests in flight are answered, and their connections closed then.
    pub async fn serve<L>(&self, listener: L, app: Router) -> io::Result<()>
    where
        L: Listener,
        L::Addr: fmt::Debug,
    {
        let mut signals = StopSignals::install()?;
        self.inner.engine.start();
        let service = self.routes().fallback_service(app.layer(self.layer()));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });
        let mut server = pin!(server.into_future());

        let signal = tokio::select! {
            ended = &mut server => return ended,
            signal = signals.next() => signal,
        };
        tracing::info!(target: TARGET, signal, "stopping: requests in flight may finish");
        self.inner.engine.drain();
        drop(stop);
        tokio::select! {
            biased;
            ended = &mut server => ended,
            reason = end_of_patience(&mut signals, self.inner.shutdown_timeout) => {
                let requests_in_flight = registry::http::metrics().in_flight_now();
                tracing::warn!(target: TARGET, reason, requests_in_flight, "stopped with connections open");
                Ok(())
            }
        }
    }
}

/// Waits for as long as requests in flight may take, and tells why no longer.
async fn end_of_patience(signals: &mut StopSignals, timeout: Duration) -> String {
    tokio::select! {
        signal = signals.next() => format!("a second signal, {signal}"),
        () = tokio::time::sleep(timeout) => format!("not closed within {timeout:?}"),
    }
}
