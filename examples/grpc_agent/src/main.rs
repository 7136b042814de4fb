//! A gRPC agent service with metrics, probes and a drain.
//!
//! ```text
//! cargo run -p grpc_agent
//! curl 127.0.0.1:9090/health/metrics
//! ```

use grpc_agent::{monitor, serve};
use monitor_runtime::logging;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let _guard = logging::init()?;
    // gRPC has the main port to itself: the admin listener answers the probes and the scrape.
    let monitor = monitor().admin_port(9090).build()?;
    let listener = TcpListener::bind("127.0.0.1:50051").await?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    serve(monitor, listener).await
}
