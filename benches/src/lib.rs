//! Benchmarks of `monitor-runtime`; see `benches/`. Here is what several of them share.

pub mod compile_time;
pub mod memory;
