//! A `rig` agent with its tools, tracked: its log lines, and at the end its metrics.
//!
//! ```text
//! cargo run -p rig_agent
//! ```
//!
//! It needs no network: the language model is `rig`'s scripted one.

use monitor_runtime::logging::LoggingError;
use monitor_runtime::{logging, metrics};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), LoggingError> {
    let guard = logging::init()?;
    trip_desk::run().await;
    // Dropping the guard writes every line, so the metrics are printed after them.
    drop(guard);
    print!("{}", metrics::render());
    Ok(())
}
