//! What several test files share.
#![allow(dead_code, unused_imports, reason = "every test file compiles all of it and uses its own part")]

pub(crate) mod client;
pub(crate) mod closed_port;
pub(crate) mod exposition;
pub(crate) mod listening;
pub(crate) mod service;
