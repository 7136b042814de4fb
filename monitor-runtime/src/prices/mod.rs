//! What model calls cost, by prices that the user gives.

mod error;
mod json;
mod rate;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

pub use error::PricesError;
pub use rate::Rate;
pub use table::{Prices, PricesBuilder};

use crate::usage::{Cost, Usage};
use rate::MOST_COST;

/// Prices model calls.
///
/// [`Prices`] is a table that implements it. Implement it yourself for prices from elsewhere.
pub trait Pricing: Send + Sync {
    /// Returns the cost of a call; `None` if its price is not known. More than a million dollars counts as `None`.
    ///
    /// It is called once for each call that reported usage without a cost, on the thread where the call ends, and should not
    /// block.
    ///
    /// # Panics
    ///
    /// If it panics, the call has no price.
    fn price(&self, call: &PricedCall<'_>) -> Option<Cost>;
}

/// A model call that is to be priced.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PricedCall<'c> {
    /// The provider, as its label has it.
    pub provider: &'c str,
    /// The model that was requested, as its label has it.
    pub request_model: &'c str,
    /// The model that replied, if it is known.
    pub response_model: Option<&'c str>,
    /// The usage, which obeys its contract.
    pub usage: Usage,
    /// The end of the call.
    pub ended: SystemTime,
}

static PRICING: RwLock<Option<Arc<dyn Pricing>>> = RwLock::new(None);

/// Sets the prices of all model calls of the process that end from now on. It can be called again, with newer prices.
///
/// Without prices, the tokens of calls whose provider reports no cost count in `model_unpriced_tokens_total`.
///
/// ```
/// use monitor_runtime::genai::{self, Prices, PricesError, Rate};
///
/// let prices = Prices::builder("2026-11-01").usd_per_million("openai", "gpt-5*", Rate::io(1.25, 10.0).cached(0.125)).build()?;
/// genai::set_pricing(prices);
/// # Ok::<(), PricesError>(())
/// ```
pub fn set_pricing(pricing: impl Pricing + 'static) {
    *PRICING.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(pricing));
}

/// Whether the process has prices.
#[cfg(feature = "runs")]
pub(crate) fn are_set() -> bool {
    PRICING.read().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// The price of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priced {
    At(Cost),
    /// The prices do not have the model.
    Missing,
    /// The process has no prices.
    Without,
}

/// Prices a call by the prices of the process.
pub(crate) fn price(
    provider: &str,
    request_model: &str,
    response_model: Option<&str>,
    usage: Usage,
) -> Priced {
    // The lock is not held while the user's code runs.
    let pricing = PRICING.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(pricing) = pricing else { return Priced::Without };
    let call = PricedCall { provider, request_model, response_model, usage, ended: SystemTime::now() };
    // The call may end while its thread unwinds, when a second panic would abort the process.
    match catch_unwind(AssertUnwindSafe(|| pricing.price(&call))) {
        // A greater cost is a mistake, and would overflow the counter.
        Ok(Some(cost)) if cost.nanos() <= MOST_COST => Priced::At(cost),
        Ok(_) | Err(_) => Priced::Missing,
    }
}
