//! Benchmarks of `monitor-runtime`; see `benches/`.
