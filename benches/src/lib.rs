//! Benchmarks of `monitor-runtime`; see `benches/`. This library has the parts that several of them share.

pub mod compile_time;
pub mod memory;
