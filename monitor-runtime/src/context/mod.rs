//! The context of log lines and traces: binds fields to it, and carries it into tasks, to other threads and to other
//! services.
//!
//! The context of a line consists of the `tracing` spans around it. A tracked call and a request each open one.
//!
//! [`TraceContext`] needs no feature; everything else needs `logging`.

#[cfg(feature = "logging")]
mod current;

pub use crate::trace_context::TraceContext;
#[cfg(feature = "logging")]
pub use current::*;
