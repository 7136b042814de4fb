//! An MCP server and its client in one process, tracked: their log lines, and at the end their metrics.
//!
//! ```text
//! cargo run -p mcp_tools
//! ```
//!
//! It needs no network: client and server talk through a pipe in memory.

use mcp_tools::Unreachable;
use monitor_runtime::{logging, metrics};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = logging::init()?;
    let visited: Result<(), Unreachable> = mcp_tools::run().await;
    // Dropping the guard writes every line, so the metrics are printed after them.
    drop(guard);
    print!("{}", metrics::render());
    Ok(visited?)
}
