//! The monitor of a service: its checks, its endpoints, its server.

#[cfg(feature = "http")]
mod admin;
mod builder;
#[cfg(feature = "dashboard")]
mod dashboard;
#[cfg(feature = "http")]
mod drain;
mod endpoints;
mod error;
#[cfg(feature = "dashboard")]
mod fleet;
#[cfg(feature = "tonic")]
mod grpc_health;
mod handle;
mod names;
#[cfg(feature = "dashboard")]
mod page;
#[cfg(feature = "dashboard")]
mod peers;
mod pools;
#[cfg(all(feature = "http", feature = "runs"))]
mod runs_api;
#[cfg(feature = "http")]
mod serve;
#[cfg(feature = "http")]
mod server;
#[cfg(feature = "http")]
mod servers;
#[cfg(feature = "http")]
mod threads;

pub use builder::MonitorBuilder;
#[cfg(feature = "dashboard")]
pub use dashboard::Dashboard;
pub use error::BuildError;
#[cfg(feature = "tonic")]
pub use grpc_health::GrpcHealth;
pub use handle::Monitor;
#[cfg(feature = "dashboard")]
pub use peers::Peers;
#[cfg(feature = "http")]
pub use server::{ConnectionLimits, IncomingConnection};
