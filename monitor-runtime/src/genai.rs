//! Calls of language models: what they used and what they cost.
//!
//! [`track_model`](crate::track_model) tracks a function that calls a model, and [`call`] a client that is written by hand.
//! Both count the [`Usage`] once, when the call ends, for the innermost tracked agent.

pub use crate::call::{ModelCall, ModelReply, call};
pub use crate::usage::{Cost, CostSource, PriceDate, Usage};
