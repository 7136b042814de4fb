//! The cells that calls are counted in, as `monitor-runtime` has them, on loom's threads and atomics.
//!
//! Each test runs a few threads through their interleavings, and each load through the values that it may see under the
//! orderings that the code asks for.
#![cfg(test)]

mod models;
mod standard;

/// The product's own code.
#[allow(
    dead_code,
    unused_imports,
    unused_doc_comments,
    reason = "the models use a part of it, and statics become macros"
)]
mod registry {
    include!(concat!(env!("OUT_DIR"), "/registry.rs"));
}
