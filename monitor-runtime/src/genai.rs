//! Calls of language models: what they used and what they cost.
//!
//! [`track_model`](macro@crate::track_model) tracks a function that calls a model, and [`call`] a client that is written by
//! hand. Both count the [`Usage`] once, when the call ends, for the innermost tracked agent.
//!
//! The cost is the one that the provider reports, else that by the process's [`Pricing`], such as a table of [`Prices`]. A call
//! with neither is unpriced, which is not free: its tokens count in `model_unpriced_tokens_total`.

pub use crate::call::{ModelReply, OpenCall, call};
pub use crate::prices::{PricedCall, Prices, PricesBuilder, PricesError, Pricing, Rate, set_pricing};
pub use crate::usage::{Cost, CostSource, CostSum, PriceDate, Usage, UsageSum};
