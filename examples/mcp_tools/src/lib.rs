//! A library that lends books by MCP: a server with tracked tools, and an agent that calls them as its client.
//!
//! `server` has the tools, in each form that `rmcp` accepts, and shows how the context of a call gets from the agent to the tools'
//! log lines. `agent` has the tracked agents.

mod agent;
mod server;

use std::error::Error;

use rmcp::ServiceExt as _;
use rmcp::service::RunningService;
use rmcp::{RoleClient, RoleServer};
use tracing::{info, warn};

use server::Library;

/// The client's end of a session.
pub type Client = RunningService<RoleClient, ()>;

/// Client and server could not connect.
#[derive(Debug, thiserror::Error)]
#[error("the session could not be opened or closed")]
pub struct Unreachable(#[source] Box<dyn Error + Send + Sync>);

impl Unreachable {
    fn new(reason: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(reason))
    }
}

/// Serves a few readers in one session; each meets another case.
///
/// # Errors
///
/// When there is no session.
pub async fn run() -> Result<(), Unreachable> {
    session(async |client| {
        borrow(client, "Dracula").await;
        borrow(client, "Emma").await;
        borrow(client, "Necronomicon").await;
        give_up(client, "Dune").await;
    })
    .await
}

/// Opens a session through a pipe in memory, and closes it after the visit.
///
/// `rmcp` does all the work of a session, that of the tools too, in the span in which the session was opened. So it is opened
/// outside of every agent: inside of one, each tool would be logged as that agent's to the end of the session.
///
/// # Errors
///
/// When the session cannot be opened or closed.
pub async fn session(visit: impl AsyncFnOnce(&Client)) -> Result<(), Unreachable> {
    let (here, there) = tokio::io::duplex(4_096);
    let server = tokio::spawn(Library::default().serve(there));
    let client = ().serve(here).await.map_err(Unreachable::new)?;
    let server: RunningService<RoleServer, Library> =
        server.await.map_err(Unreachable::new)?.map_err(Unreachable::new)?;
    visit(&client).await;
    client.cancel().await.map_err(Unreachable::new)?;
    // It ends once every tool has.
    server.waiting().await.map_err(Unreachable::new)?;
    Ok(())
}

/// A reader asks for a book.
pub async fn borrow(client: &Client, title: &str) {
    if let Ok(shelf) = agent::lend(client, &format!("desk-{title}"), title).await {
        info!(title, shelf, "here you are");
    } else {
        warn!(title, "sorry");
    }
}

/// A reader has a book ordered, and waits for a while only.
pub async fn give_up(client: &Client, title: &str) {
    if agent::order(client, &format!("desk-{title}"), title).await.is_err() {
        info!(title, "the reader has left");
    }
}
