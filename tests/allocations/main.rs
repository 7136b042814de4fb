//! The cost of tracked calls in memory: allocations in the steady state, and the size and depth of futures.

#[path = "../support/mod.rs"]
mod support;

mod logged;
mod nesting;
mod unlogged;
