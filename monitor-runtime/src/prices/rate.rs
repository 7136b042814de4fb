//! The price of tokens, and the cost of a call by it.

use super::error::PricesError;
use crate::usage::{Cost, Usage};

/// Tokens that a price is for.
const MILLION: u128 = 1_000_000;

/// The highest price, in dollars.
const MOST_DOLLARS: f64 = 1e6;

/// The highest cost of one call, in nano-dollars: a million dollars.
pub(super) const MOST_COST: u64 = 1_000_000_000_000_000;

/// The prices of a model's tokens, in US dollars for a million tokens.
///
/// ```
/// use monitor_runtime::genai::Rate;
///
/// let rate = Rate::io(1.25, 10.0).cached(0.125);
/// # let _ = rate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub(super) input: f64,
    pub(super) output: f64,
    pub(super) cached: Option<f64>,
    pub(super) cache_write: Option<f64>,
    pub(super) reasoning: Option<f64>,
}

impl Rate {
    /// Makes the prices of input and output.
    pub const fn io(input: f64, output: f64) -> Self {
        Self { input, output, cached: None, cache_write: None, reasoning: None }
    }

    /// Sets the price of input that was read from the cache. Without it, the price of input applies, and costs of calls that
    /// used the cache are estimates.
    pub const fn cached(mut self, dollars: f64) -> Self {
        self.cached = Some(dollars);
        self
    }

    /// Sets the price of input that was written to the cache. Without it, the price of input applies, and costs of calls that
    /// wrote to the cache are estimates.
    pub const fn cache_write(mut self, dollars: f64) -> Self {
        self.cache_write = Some(dollars);
        self
    }

    /// Sets the price of output that was used for reasoning (default: that of output).
    pub const fn reasoning(mut self, dollars: f64) -> Self {
        self.reasoning = Some(dollars);
        self
    }
}

/// A [`Rate`] in whole nano-dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExactRate {
    input: u64,
    output: u64,
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
}

impl ExactRate {
    pub(super) fn new(rate: &Rate, model: &str) -> Result<Self, PricesError> {
        let exact = |part, given: f64| {
            nanos(given).ok_or_else(|| PricesError::Rate { model: model.to_owned(), part, given })
        };
        let optional = |part, given: Option<f64>| given.map(|given| exact(part, given)).transpose();
        Ok(Self {
            input: exact("input", rate.input)?,
            output: exact("output", rate.output)?,
            cached: optional("cached", rate.cached)?,
            cache_write: optional("cache_write", rate.cache_write)?,
            reasoning: optional("reasoning", rate.reasoning)?,
        })
    }

    /// The cost of a call whose usage obeys the contract. `None` if no count is known, or if it is more than a million dollars.
    ///
    /// The products are summed exactly, and the sum is rounded once, half up.
    pub(super) fn cost(&self, usage: &Usage) -> Option<Cost> {
        let (input, output) = (usage.input_tokens(), usage.output_tokens());
        if usage.is_unknown() {
            return None;
        }
        let cached = usage.cached_input_tokens().unwrap_or(0);
        let cache_write = usage.cache_write_input_tokens().unwrap_or(0);
        let reasoning = usage.reasoning_output_tokens().unwrap_or(0);
        let uncached = input.unwrap_or(0).saturating_sub(cached).saturating_sub(cache_write);
        let plain = output.unwrap_or(0).saturating_sub(reasoning);
        let parts = [
            (uncached, self.input),
            (cached, self.cached.unwrap_or(self.input)),
            (cache_write, self.cache_write.unwrap_or(self.input)),
            (plain, self.output),
            (reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        let sum: u128 = parts.iter().map(|(tokens, rate)| u128::from(*tokens) * u128::from(*rate)).sum();
        let nanos = u64::try_from((sum + MILLION / 2) / MILLION).ok().filter(|nanos| *nanos <= MOST_COST)?;
        let is_estimate = input.is_none()
            || output.is_none()
            || cached > 0 && self.cached.is_none()
            || cache_write > 0 && self.cache_write.is_none();
        let cost = Cost::from_nano_usd(nanos);
        Some(if is_estimate { cost.estimated() } else { cost })
    }
}

/// Dollars in whole nano-dollars, by their shortest decimal form, rounded half up.
///
/// A product with a billion would round the binary fraction nearest to `0.1` instead.
fn nanos(dollars: f64) -> Option<u64> {
    if !(0.0..=MOST_DOLLARS).contains(&dollars) {
        return None;
    }
    let text = dollars.abs().to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let (kept, rest) = decimals.split_at(decimals.len().min(9));
    let billionths: u64 = format!("{kept:0<9}").parse().ok()?;
    let round_up = u64::from(rest.as_bytes().first().is_some_and(|digit| *digit >= b'5'));
    Some(whole.parse::<u64>().ok()? * 1_000_000_000 + billionths + round_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(rate: &Rate, usage: Usage) -> Option<(u64, bool)> {
        let cost = ExactRate::new(rate, "gpt-5").unwrap().cost(&usage.corrected().0)?;
        Some((cost.nanos(), cost.is_estimate()))
    }

    #[test]
    fn dollars_become_whole_nanos() {
        for (dollars, expected) in [
            (0.0, 0),
            (-0.0, 0),
            (0.1, 100_000_000),
            (0.125, 125_000_000),
            (1.25, 1_250_000_000),
            (0.1 + 0.2, 300_000_000),
            (1e-9, 1),
            (4e-10, 0),
            (5e-10, 1),
            (1e6, 1_000_000_000_000_000),
        ] {
            assert_eq!(nanos(dollars), Some(expected), "{dollars}");
        }
        for wrong in [-1e-9, f64::NAN, f64::INFINITY, 1e6 + 1.0] {
            assert_eq!(nanos(wrong), None, "{wrong}");
        }
    }

    /// 172 × 1.25 + 640 × 0.125 + 96 × 10 dollars, divided by a million, by hand: 0.000215 + 0.00008 + 0.00096.
    #[test]
    fn each_part_of_the_input_has_its_price() {
        let rate = Rate::io(1.25, 10.0).cached(0.125);
        assert_eq!(cost(&rate, Usage::new(812, 96).cached(640)), Some((1_255_000, false)));
        assert_eq!(cost(&rate, Usage::beside_cache(172, 640, 0, 96)), Some((1_255_000, false)));
    }

    /// 100 × 3 + 50 × 3.75 + 10 × 15 + 20 × 12: 300 + 187.5 + 150 + 240 millionths.
    #[test]
    fn written_tokens_and_reasoning_have_their_prices() {
        let rate = Rate::io(3.0, 15.0).cached(0.3).cache_write(3.75).reasoning(12.0);
        let usage = Usage::beside_cache(100, 0, 50, 30).reasoning(20);
        assert_eq!(cost(&rate, usage), Some((877_500, false)));
    }

    #[test]
    fn a_missing_price_of_the_cache_makes_an_estimate() {
        let rate = Rate::io(1.0, 2.0);
        assert_eq!(cost(&rate, Usage::new(10, 10)), Some((30_000, false)));
        assert_eq!(cost(&rate, Usage::new(10, 10).cached(0)), Some((30_000, false)));
        assert_eq!(cost(&rate, Usage::new(10, 10).cached(1)), Some((30_000, true)));
        assert_eq!(cost(&rate, Usage::new(10, 10).cache_write(1)), Some((30_000, true)));
    }

    #[test]
    fn a_call_without_tokens_has_no_price() {
        let rate = Rate::io(1.0, 2.0);
        assert_eq!(cost(&rate, Usage::default()), None);
        assert_eq!(cost(&rate, Usage::default().input(10)), Some((10_000, true)), "at least this");
        assert_eq!(
            cost(&rate, Usage::default().output(10).cached(5)),
            Some((25_000, true)),
            "no input is made up"
        );
        assert_eq!(cost(&rate, Usage::new(10, 0)), Some((10_000, false)), "embeddings");
        assert_eq!(cost(&Rate::io(0.0, 0.0), Usage::new(10, 10)), Some((0, false)), "priced at 0");
    }

    #[test]
    fn the_sum_is_rounded_once() {
        // 1 token at 0.0005 dollars a million is half a nano-dollar.
        let rate = Rate::io(0.000_5, 0.000_4);
        assert_eq!(cost(&rate, Usage::new(1, 0)), Some((1, false)));
        assert_eq!(cost(&rate, Usage::new(0, 1)), Some((0, false)));
        assert_eq!(cost(&rate, Usage::new(1, 1)), Some((1, false)), "0.9 nano-dollars");
        assert_eq!(cost(&rate, Usage::new(2, 1)), Some((1, false)), "1.4 nano-dollars");
    }

    #[test]
    fn a_cost_beyond_all_reason_is_none() {
        assert_eq!(cost(&Rate::io(1e6, 0.0), Usage::new(1_000_000, 0)), Some((MOST_COST, false)));
        assert_eq!(cost(&Rate::io(1e6, 0.0), Usage::new(1_000_000_000_000, 0)), None);
    }
}
