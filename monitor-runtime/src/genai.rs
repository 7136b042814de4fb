//! Calls of language models: what they used and what they cost.

pub use crate::call::ModelReply;
pub use crate::usage::{Cost, CostSource, PriceDate, Usage};
