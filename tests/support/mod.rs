//! Code shared by several test files.
#![allow(dead_code, unused_imports, reason = "every executable compiles all of it and uses its own part")]

pub(crate) mod alone;
pub(crate) mod client;
pub(crate) mod closed_port;
pub(crate) mod exposition;
pub(crate) mod listening;
pub(crate) mod log_case;
pub(crate) mod log_line;
pub(crate) mod memory;
pub(crate) mod models;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod service;
pub(crate) mod subprocess;
pub(crate) mod tcp;
pub(crate) mod theirs;
pub(crate) mod twins;
