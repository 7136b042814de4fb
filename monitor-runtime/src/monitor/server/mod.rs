//! The server: it accepts connections under limits, and tells what becomes of them.
//!
//! `axum::serve` has no limits and no settings, so this is the same on hyper with them: [`Connections`] knows all that are
//! open, a `ConnectionState` what each of them does, and a task a connection acts on it.

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

/// A server that is not running yet.
pub(super) struct Server {
    pub(super) connections: Arc<Connections>,
    /// Its number among those that share the connections' limit.
    pub(super) number: usize,
    pub(super) router: Router,
    pub(super) engine: Arc<Engine>,
    /// Descriptors for the connections of this server alone.
    pub(super) reserve: Option<Arc<Reserve>>,
}

impl Server {
    /// Finds out how many connections the process has descriptors for.
    ///
    /// # Errors
    ///
    /// When there are too few to serve anybody.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.connections.set_default_limit(descriptors::connection_capacity()?);
        Ok(())
    }

    /// Accepts connections until told to `stop`, and those that the kernel has accepted by then. They are answered by tasks of
    /// their own, which go on.
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
        // A client whose connection the kernel has taken believes to be connected: closed now, it would be reset.
        accept::accept_backlog(listener, &connections, begin).await;
        drop(accepting);
    }
}
