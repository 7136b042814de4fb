//! The server's tools, each tracked as a skill, in each form that `rmcp` accepts.
//!
//! A tool runs on the server's side of the pipe, outside of the agent's span. The context for its log lines comes with the request:
//! `rmcp`'s number of the request, and the client's entries in `_meta`.

use std::collections::BTreeMap;

use monitor_runtime::track_skill;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, ErrorData};
use rmcp::schemars::{self, JsonSchema};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;
use tracing::info;

/// The key in `_meta` of the request id for which a tool is called.
pub(crate) const REQUEST_ID: &str = "library.example/request_id";

/// A tool's argument: a book.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Book {
    /// Its title.
    title: String,
}

/// Every book with its shelf; one is lent out.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    shelves: BTreeMap<&'static str, &'static str>,
    lent: &'static str,
}

impl Default for Library {
    fn default() -> Self {
        Self { shelves: BTreeMap::from([("Dracula", "S 12"), ("Emma", "A 3")]), lent: "Emma" }
    }
}

#[tool_router]
impl Library {
    /// Returns the shelf of a book.
    #[tool]
    #[track_skill("find_book", fields(request_id = sent(&context), mcp.request.id = %context.id))]
    async fn find_book(
        &self,
        Parameters(Book { title }): Parameters<Book>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, String> {
        info!(title, "looking");
        let shelf = self.shelves.get(title.as_str()).map(|shelf| (*shelf).to_owned());
        shelf.ok_or_else(|| format!("nobody has written {title}"))
    }

    /// Lends a book.
    #[track_skill(
        "lend_book",
        fields(request_id = sent(&context), mcp.request.id = %context.id),
        error_if = is_refusal
    )]
    #[tool]
    async fn lend_book(
        &self,
        Parameters(Book { title }): Parameters<Book>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        info!(title, "lending");
        if title == self.lent {
            return Ok(CallToolResult::error(vec![ContentBlock::text(format!("{title} is lent"))]));
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("until May")]))
    }

    /// Orders a book from elsewhere.
    #[tool]
    async fn order_book(
        &self,
        Parameters(Book { title }): Parameters<Book>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, String> {
        // `rmcp` tells a tool that its call was cancelled, and leaves it to the tool to stop. The future dropped here is tracked.
        tokio::select! {
            ordered = order(&title, &context) => Ok(ordered),
            () = context.ct.cancelled() => Err("cancelled".to_owned()),
        }
    }
}

#[tool_handler]
impl ServerHandler for Library {}

/// Waits for the other library, which never answers.
#[track_skill("order_book", fields(request_id = sent(context), mcp.request.id = %context.id))]
async fn order(title: &str, context: &RequestContext<RoleServer>) -> String {
    info!(title, "ordering");
    std::future::pending::<()>().await;
    format!("{title} will come")
}

/// The request that the client called for.
fn sent(context: &RequestContext<RoleServer>) -> Option<&str> {
    context.meta.get(REQUEST_ID)?.as_str()
}

/// For `rmcp`, a tool that refuses has succeeded: the refusal is in its result.
fn is_refusal(result: &Result<CallToolResult, ErrorData>) -> bool {
    result.as_ref().map_or(true, |result| result.is_error == Some(true))
}
