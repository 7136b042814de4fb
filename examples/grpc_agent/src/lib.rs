//! A gRPC service whose agents are tracked by the attributes of `monitor-runtime`.

mod agent;
pub mod pb;

use std::error::Error;

use monitor_runtime::http::GrpcServices;
use monitor_runtime::{Monitor, MonitorBuilder};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

pub use agent::Agent;

/// Begins a monitor that knows the methods of the service, so that each is counted by its name.
pub fn monitor() -> MonitorBuilder {
    let services = GrpcServices::new().service("agents.v1.Assistant", ["Ask", "Recite"]);
    Monitor::builder().service("grpc-agent", env!("CARGO_PKG_VERSION")).grpc(services)
}

/// Serves the agent and the standard health service until the process is told to stop.
///
/// # Errors
///
/// When the server fails.
pub async fn serve(monitor: Monitor, listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = Server::builder()
        .layer(monitor.layer())
        .add_service(monitor.grpc_health())
        .add_service(pb::AssistantServer::new(Agent))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), monitor.shutdown());
    tokio::select! {
        ended = server => ended?,
        () = monitor.drained() => {}
    }
    // Tracked calls may outlive the server.
    monitor.drained().await;
    Ok(())
}
