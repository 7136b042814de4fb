//! Benchmarks of `monitor-runtime`; see `benches/`. This library has the parts that several of them share.

pub mod bodies;
pub mod compile_time;
pub mod counted;
pub mod harness;
pub mod memory;
pub mod remote;
