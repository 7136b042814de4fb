//! Monitoring for agent services: metrics, health endpoints and structured logs from one attribute a function.

pub mod metrics;

#[cfg(feature = "logging")]
pub mod context;
#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "logging")]
pub mod logging;
#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
pub mod private;

mod call;
mod catalog;
mod clock;
#[cfg(any(feature = "logging", feature = "health"))]
mod json;
#[cfg(feature = "health")]
mod monitor;
mod registry;

pub use call::{Classify, Outcome};
#[cfg(feature = "health")]
pub use monitor::{BuildError, Monitor, MonitorBuilder};
#[cfg(feature = "macros")]
pub use monitor_macros::{track_agent, track_query, track_skill};
