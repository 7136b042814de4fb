//! The function as meant: how it is tracked, with every argument checked and given its default.

pub(crate) mod body;
mod operation;
pub(crate) mod parameters;
pub(crate) mod return_type;
pub(crate) mod shape;
pub(crate) mod spec;
