//! The tracked agents, which call the server's tools as its client.

use std::time::Duration;

use monitor_runtime::track_agent;
use rmcp::ServiceError;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, JsonObject, RequestMetaObject,
    ServerResult,
};
use rmcp::service::PeerRequestOptions;
use serde_json::Value;
use tracing::info;

use crate::Client;
use crate::server::REQUEST_ID;

/// Time limit of a reader for an order.
const PATIENCE: Duration = Duration::from_millis(100);

/// The reason why there is no book.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBook {
    /// The call itself failed.
    #[error("the library does not answer")]
    Unanswered(#[from] ServiceError),
    /// A tool reported it.
    #[error("{0}")]
    Refused(String),
}

/// Finds a book and lends it, and returns its shelf.
#[track_agent("librarian", fields(request_id, title))]
pub(crate) async fn lend(client: &Client, request_id: &str, title: &str) -> Result<String, NoBook> {
    let shelf = call(client, "find_book", request_id, title, PeerRequestOptions::no_options()).await?;
    call(client, "lend_book", request_id, title, PeerRequestOptions::no_options()).await?;
    info!(shelf, "lent");
    Ok(shelf)
}

/// Orders a book from elsewhere.
#[track_agent("orderer", fields(request_id, title))]
pub(crate) async fn order(client: &Client, request_id: &str, title: &str) -> Result<String, NoBook> {
    call(client, "order_book", request_id, title, PeerRequestOptions::with_timeout(PATIENCE)).await
}

/// Calls a tool, and passes the context of the surrounding call as `_meta`.
async fn call(
    client: &Client,
    tool: &'static str,
    request_id: &str,
    title: &str,
    options: PeerRequestOptions,
) -> Result<String, NoBook> {
    let arguments = JsonObject::from_iter([("title".to_owned(), Value::from(title))]);
    let request = CallToolRequest::new(CallToolRequestParams::new(tool).with_arguments(arguments));
    let mut meta = RequestMetaObject::new();
    meta.insert(REQUEST_ID.to_owned(), Value::from(request_id));
    let request = ClientRequest::CallToolRequest(request);
    let request = client.send_cancellable_request(request, options.with_meta(meta)).await?;
    match request.await_response().await? {
        ServerResult::CallToolResult(result) => said(&result),
        _ => Err(ServiceError::UnexpectedResponse.into()),
    }
}

fn said(result: &CallToolResult) -> Result<String, NoBook> {
    let texts = result.content.iter().filter_map(|content| content.as_text());
    let text: String = texts.map(|content| content.text.as_str()).collect();
    if result.is_error == Some(true) { Err(NoBook::Refused(text)) } else { Ok(text) }
}
