use genai_prices::{Calculator, PriceRequest, UsageKey};
use monitor_runtime::genai::{Cost, PricedCall, Pricing};

/// The prices that the release of the crate contains.
pub struct BundledPrices(&'static Calculator);

impl BundledPrices {
    /// Decodes the prices, which takes tens of milliseconds.
    pub fn load() -> Self {
        Self(Calculator::bundled())
    }
}

impl Pricing for BundledPrices {
    fn price(&self, call: &PricedCall<'_>) -> Option<Cost> {
        // Both sides count the cache inside the input, and reasoning inside the output.
        let counts = [
            (UsageKey::INPUT_TOKENS, call.usage.input_tokens()),
            (UsageKey::OUTPUT_TOKENS, call.usage.output_tokens()),
            (UsageKey::CACHE_READ_TOKENS, call.usage.cached_input_tokens()),
            (UsageKey::CACHE_WRITE_TOKENS, call.usage.cache_write_input_tokens()),
        ];
        let usage = counts.into_iter().filter_map(|(key, count)| Some((key, count? as f64))).collect();
        let mut models = call.response_model.into_iter().chain([call.request_model]);
        let price = models.find_map(|model| {
            let request = PriceRequest::new(model, &usage).with_provider_id(call.provider);
            self.0.calculate(&request.with_timestamp(call.ended)).ok()
        })?;
        let cost = Cost::from_usd(price.total_price)?;
        // It warns of counts that it has no rate for.
        Some(if price.warnings.is_empty() { cost } else { cost.estimated() })
    }
}
