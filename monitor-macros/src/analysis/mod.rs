//! Makes the model of a tracked function: when its call ends, and every option, checked and with its default.
//!
//! Tokens are known here, types are not. So types and traits are recognized by the last word of their paths, and a type of an
//! unknown name is left to the compiler ([`Shape::ByType`](shape::Shape::ByType)).

pub(crate) mod body;
mod operation;
pub(crate) mod parameters;
mod provider;
pub(crate) mod return_type;
pub(crate) mod shape;
pub(crate) mod spec;
