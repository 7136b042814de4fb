//! The code that `docs/database_clients.md` shows; `tests/` runs it.
#![forbid(unsafe_code)]

pub mod deadpool;
pub mod orm;
