//! The cells that calls are counted in and the ring that they are recorded in, as `monitor-runtime` has them, on loom's
//! threads and atomics.
//!
//! Each test runs a few threads through their interleavings, and each load through the values that it may see under the
//! orderings that the code asks for.
#![cfg(test)]

mod models;
mod ring_models;

/// The product's own code; the models use a part of it.
#[path = "../../../monitor-runtime/src/cells/mod.rs"]
#[allow(dead_code, reason = "the models use a part of it")]
mod cells;
#[path = "../../../monitor-runtime/src/error_chain.rs"]
#[allow(dead_code, reason = "the cells use a part of it")]
mod error_chain;
#[path = "../../../monitor-runtime/src/json/mod.rs"]
#[allow(dead_code, reason = "the cells use a part of it")]
mod json;
#[path = "../../../monitor-runtime/src/run/ring.rs"]
mod ring;
