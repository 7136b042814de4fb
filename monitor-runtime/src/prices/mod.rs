//! The cost of model calls, by prices that the user gives.

mod error;
mod rate;
mod table;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
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
    /// The provider, as the call gave it; `unknown` for an empty one.
    pub provider: &'c str,
    /// The model that was requested, as the call gave it; `unknown` for an empty one.
    pub request_model: &'c str,
    /// The model that replied, if it is known.
    pub response_model: Option<&'c str>,
    /// The usage, which obeys its contract.
    pub usage: Usage,
    /// The end of the call.
    pub ended: SystemTime,
}

/// The prices of the process.
struct Current {
    pricing: Box<dyn Pricing>,
    /// The labels of the models that were named since the prices lack them, with the reason.
    named: Mutex<BTreeSet<([&'static str; 2], Unpriced)>>,
}

static PRICING: RwLock<Option<Arc<Current>>> = RwLock::new(None);

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
    let newer = Arc::new(Current { pricing: Box::new(pricing), named: Mutex::default() });
    let older = PRICING.write().unwrap_or_else(PoisonError::into_inner).replace(newer);
    // Without the lock, since its destructor may call models.
    drop(older);
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
    /// The prices of the process give none. `is_first` is whether it is their first call with these labels and this reason.
    Not {
        reason: Unpriced,
        is_first: bool,
    },
    /// The process has no prices.
    Without,
}

/// The reason why prices give no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unpriced {
    /// They do not have the model.
    Missing,
    /// They give more than any call can cost.
    Excessive,
    Panicked,
}

/// Prices a call by the prices of the process. The labels are those of its series, so their number is bounded.
pub(crate) fn price(call: &PricedCall<'_>, labels: [&'static str; 2]) -> Priced {
    // The lock is not held while the user's code runs.
    let current = PRICING.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(current) = current else { return Priced::Without };
    // The call may end while its thread unwinds, when a second panic would abort the process.
    let reason = match catch_unwind(AssertUnwindSafe(|| current.pricing.price(call))) {
        Ok(Some(cost)) if cost.nanos() <= MOST_COST => return Priced::At(cost),
        // A greater cost is a mistake, and would overflow the counter.
        Ok(Some(_)) => Unpriced::Excessive,
        Ok(None) => Unpriced::Missing,
        Err(_) => Unpriced::Panicked,
    };
    let is_first = current.named.lock().unwrap_or_else(PoisonError::into_inner).insert((labels, reason));
    Priced::Not { reason, is_first }
}
