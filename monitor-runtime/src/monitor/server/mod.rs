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
mod request;
mod socket;
mod task;

use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;

pub(super) use connection_log::TARGET;
pub(super) use connection_state::{CloseReason, Command};
pub(super) use connections::Connections;
pub(super) use descriptors::Reserve;
pub use limits::ConnectionLimits;

use crate::health::Engine;
use task::ServerContext;

/// A server that does not run yet.
pub(super) struct Server {
    pub(super) connections: Arc<Connections>,
    /// The number of this server among those that share `connections`.
    pub(super) number: usize,
    pub(super) router: Router,
    pub(super) engine: Arc<Engine>,
    /// Spare descriptors for the connections of this server alone.
    pub(super) reserve: Option<Arc<Reserve>>,
}

impl Server {
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
    pub(super) async fn accept<L>(self, mut listener: L, stop: impl Future<Output = ()>)
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
    {
        let Self { connections, number, router, engine, reserve } = self;
        let accepting = connections.accept();
        let context = ServerContext { router, engine, reserve: reserve.clone() };
        let begin = |(io, client)| match connections.admit(number) {
            Some(slot) => drop(tokio::spawn(task::run(context.clone(), slot, io, client))),
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
