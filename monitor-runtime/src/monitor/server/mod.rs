//! An HTTP server with limits on its connections, and with metrics and log lines about them.
//!
//! It replaces `axum::serve`, which has no limits, and uses hyper directly. [`Connections`] holds all open connections,
//! a `ConnectionState` the state of each, and one task a connection acts on that state.

mod accept;
mod connection_log;
mod connection_state;
mod connections;
mod descriptors;
mod limits;
mod make_service;
mod request;
mod socket;
mod task;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use tower_service::Service;

pub(super) use connection_log::TARGET;
pub(super) use connection_state::{CloseReason, Command};
pub(super) use connections::Connections;
pub(super) use descriptors::Reserve;
pub use limits::ConnectionLimits;
pub(super) use make_service::App;
pub use make_service::IncomingConnection;

use super::endpoints::Endpoints;
use task::ServerContext;

/// A server that does not run yet.
pub(super) struct Server<M> {
    pub(super) connections: Arc<Connections>,
    /// The number of this server among those that share `connections`.
    pub(super) number: usize,
    pub(super) app: App<M>,
    pub(super) endpoints: Arc<Endpoints>,
    /// Spare descriptors for the connections of this server alone.
    pub(super) reserve: Option<Arc<Reserve>>,
}

impl<M> Server<M> {
    /// Determines for how many connections the process has file descriptors.
    ///
    /// # Errors
    ///
    /// Fails if there are too few to serve at all.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.connections.set_default_limit(descriptors::connection_capacity()?);
        Ok(())
    }

    /// Accepts connections until `stop` completes, then those in the kernel's backlog. A task for each connection
    /// answers it and may outlive this future.
    pub(super) async fn accept<L, S>(self, mut listener: L, stop: impl Future<Output = ()>)
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
        M: for<'a> Service<IncomingConnection<'a, L>, Response = S, Error = Infallible> + Send + 'static,
        for<'a> <M as Service<IncomingConnection<'a, L>>>::Future: Send,
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let Self { connections, number, app, endpoints, reserve } = self;
        let accepting = connections.accept();
        let context = ServerContext { app, endpoints, reserve: reserve.clone() };
        let begin = |(io, client)| match connections.admit(number) {
            Some(slot) => drop(tokio::spawn(task::run::<L, M, S>(context.clone(), slot, io, client))),
            None => accept::refuse(io),
        };
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                connections.wait_for_room().await;
                accept::accept_next(&mut listener, &connections, reserve.as_deref()).await
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accepted => begin(accepted),
            }
        }
        // Clients in the kernel's backlog see an established connection. Closing the listener now would reset it.
        accept::accept_backlog(listener, &connections, begin).await;
        drop(accepting);
    }
}
