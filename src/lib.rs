//! The integration tests and examples of `monitor-runtime` live in this package; it has no API.
