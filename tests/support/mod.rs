//! What several test files share.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

pub(crate) mod exposition;
