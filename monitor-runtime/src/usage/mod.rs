//! The usage of a model call: its tokens, and its cost if the provider reports one.

mod cost;
mod flaws;
mod sum;

pub use cost::{Cost, CostSource, PriceDate};
pub(crate) use flaws::{Flaw, Flaws};
pub use sum::{CostSum, UsageSum};

/// The counts of a usage.
const COUNTS: usize = 5;

/// The most tokens that one call can use. A greater count is a mistake of its source.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// The tokens that a model call used, as far as they are known.
///
/// A count that was not reported is unknown, which is not zero: [`input_tokens`](Self::input_tokens) is then `None`, and
/// no counter moves.
///
/// # The contract
///
/// * The input contains the tokens read from the cache and those written to it: `cached + cache_write <= input`.
/// * The output contains the tokens of reasoning: `reasoning <= output`.
///
/// OpenAI, Gemini, rig and genai report the input in that way, which [`new`](Self::new) takes. Anthropic and Amazon
/// Bedrock report the cache beside the input, which [`beside_cache`](Self::beside_cache) takes:
///
/// ```
/// use monitor_runtime::genai::Usage;
///
/// let openai = Usage::new(812, 96).cached(640);
/// let anthropic = Usage::beside_cache(172, 640, 0, 96);
/// assert_eq!(openai.input_tokens(), anthropic.input_tokens());
/// assert_eq!(openai.cached_input_tokens(), anthropic.cached_input_tokens());
/// ```
///
/// If a part is greater than its known whole, the part is taken to be beside it, and the call is counted in
/// `model_usage_corrected_total`. A warning names the model, once for each cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    cost: Option<Cost>,
    /// Of the values that were given and dropped.
    flaws: Flaws,
}

impl Usage {
    /// Makes the usage of a call whose input contains the tokens of the cache.
    pub fn new(input: u64, output: u64) -> Self {
        Self::default().input(input).output(output)
    }

    /// Makes the usage of a call whose input was reported without the tokens read from the cache and written to it.
    pub fn beside_cache(uncached_input: u64, cached: u64, cache_write: u64, output: u64) -> Self {
        let input = uncached_input.saturating_add(cached).saturating_add(cache_write);
        Self::new(input, output).cached(cached).cache_write(cache_write)
    }

    /// Sets the tokens of the input, those of the cache included.
    pub fn input(mut self, tokens: u64) -> Self {
        self.input = self.possible(tokens);
        self
    }

    /// Sets the tokens of the output, those of reasoning included.
    pub fn output(mut self, tokens: u64) -> Self {
        self.output = self.possible(tokens);
        self
    }

    /// Sets the tokens of the input that were read from the provider's cache.
    pub fn cached(mut self, tokens: u64) -> Self {
        self.cached = self.possible(tokens);
        self
    }

    /// Sets the tokens of the input that were written to the provider's cache.
    pub fn cache_write(mut self, tokens: u64) -> Self {
        self.cache_write = self.possible(tokens);
        self
    }

    /// Sets the tokens of the output that the model used for reasoning.
    pub fn reasoning(mut self, tokens: u64) -> Self {
        self.reasoning = self.possible(tokens);
        self
    }

    /// Sets the cost that the provider reported, in US dollars.
    ///
    /// A negative amount, `NaN` or more than a million dollars is no cost; the call is then counted in
    /// `model_usage_corrected_total`.
    pub fn cost_usd(mut self, dollars: f64) -> Self {
        self.cost = Cost::reported(dollars);
        if self.cost.is_none() {
            self.flaws.add(Flaw::Cost);
        }
        self
    }

    /// Returns the tokens of the input, those of the cache included.
    pub fn input_tokens(&self) -> Option<u64> {
        self.input
    }

    /// Returns the tokens of the output, those of reasoning included.
    pub fn output_tokens(&self) -> Option<u64> {
        self.output
    }

    /// Returns the tokens of the input that were read from the cache.
    pub fn cached_input_tokens(&self) -> Option<u64> {
        self.cached
    }

    /// Returns the tokens of the input that were written to the cache.
    pub fn cache_write_input_tokens(&self) -> Option<u64> {
        self.cache_write
    }

    /// Returns the tokens of the output that the model used for reasoning.
    pub fn reasoning_output_tokens(&self) -> Option<u64> {
        self.reasoning
    }

    /// Returns the cost that the provider reported.
    pub fn cost(&self) -> Option<Cost> {
        self.cost
    }

    fn possible(&mut self, tokens: u64) -> Option<u64> {
        let is_possible = tokens <= MOST_TOKENS;
        if !is_possible {
            self.flaws.add(Flaw::Count);
        }
        is_possible.then_some(tokens)
    }

    /// Input, output, and the parts that were cached, written to the cache, and reasoning.
    fn counts(&self) -> [Option<u64>; COUNTS] {
        [self.input, self.output, self.cached, self.cache_write, self.reasoning]
    }

    /// Whether no count of tokens is known; a cost may be.
    pub(crate) fn is_unknown(&self) -> bool {
        self.counts().iter().all(Option::is_none)
    }

    /// Whether neither a count nor the cost is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_unknown() && self.cost.is_none()
    }

    /// Overrides the values by those that `later` knows: providers repeat the counts of a stream, growing, and some report
    /// the input first and the output last.
    pub(crate) fn update(&mut self, later: &Self) {
        let Self { input, output, cached, cache_write, reasoning, cost, flaws } = *later;
        self.input = input.or(self.input);
        self.output = output.or(self.output);
        self.cached = cached.or(self.cached);
        self.cache_write = cache_write.or(self.cache_write);
        self.reasoning = reasoning.or(self.reasoning);
        self.cost = cost.or(self.cost);
        self.flaws.merge(flaws);
    }

    /// The usage, or that of the parts of the call if it has no count of tokens.
    pub(crate) fn or(self, parts: Self) -> Self {
        if !self.is_unknown() {
            return self;
        }
        let mut flaws = self.flaws;
        flaws.merge(parts.flaws);
        Self { cost: self.cost.or(parts.cost), flaws, ..parts }
    }

    /// Adds the usage of a further attempt of the same call. The cost is an estimate if only one of two attempts reported it.
    pub(crate) fn add_attempt(&mut self, attempt: Self) {
        let (mut flaws, costs) = (self.flaws, [self.cost, attempt.cost]);
        flaws.merge(attempt.flaws);
        if attempt.is_empty() {
            self.flaws = flaws;
            return;
        }
        if self.is_empty() {
            *self = Self { flaws, ..attempt };
            return;
        }
        // Corrected before, since the sum could hide that an attempt breaks the contract.
        let (corrected, more) = self.corrected();
        flaws.merge(more);
        *self = Self { flaws, ..corrected };
        self.add(&attempt);
        self.cost = match costs {
            [Some(one), Some(other)] => Some(one.plus(other)),
            [one, other] => one.or(other).map(Cost::estimated),
        };
    }

    /// Adds the counts of another part of the same call. A part reports no cost.
    pub(crate) fn add(&mut self, part: &Self) {
        // Corrected before, since the sum could hide that a part breaks the contract.
        let (Self { input, output, cached, cache_write, reasoning, cost: _, .. }, flaws) = part.corrected();
        let counts = [
            (&mut self.input, input),
            (&mut self.output, output),
            (&mut self.cached, cached),
            (&mut self.cache_write, cache_write),
            (&mut self.reasoning, reasoning),
        ];
        for (sum, more) in counts {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        }
        self.flaws.merge(flaws);
    }

    /// The usage by the contract, and the flaws that it had. An unknown whole stays unknown: its parts do not contradict it.
    pub(crate) fn corrected(mut self) -> (Self, Flaws) {
        let mut flaws = std::mem::take(&mut self.flaws);
        let of_cache = self.cached.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        let reasoning = self.reasoning.unwrap_or(0);
        let pairs =
            [(&mut self.input, of_cache, Flaw::Cache), (&mut self.output, reasoning, Flaw::Reasoning)];
        for (whole, part, flaw) in pairs {
            if let Some(whole) = whole.as_mut().filter(|whole| part > **whole) {
                *whole = whole.saturating_add(part);
                flaws.add(flaw);
            }
        }
        (self, flaws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The normal form: input, output, cached, written to the cache, reasoning.
    fn normal(usage: Usage) -> [Option<u64>; 5] {
        let (usage, flaws) = usage.corrected();
        assert!(flaws.is_empty(), "{usage:?}");
        [usage.input, usage.output, usage.cached, usage.cache_write, usage.reasoning]
    }

    /// `{"input_tokens": 172, "cache_read_input_tokens": 640, "cache_creation_input_tokens": 0, "output_tokens": 96}`
    #[test]
    fn anthropic_reports_the_cache_beside_the_input() {
        assert_eq!(
            normal(Usage::beside_cache(172, 640, 0, 96)),
            [Some(812), Some(96), Some(640), Some(0), None]
        );
        assert_eq!(
            normal(Usage::beside_cache(3, 0, 2_048, 5)),
            [Some(2_051), Some(5), Some(0), Some(2_048), None]
        );
    }

    /// `{"inputTokens": 172, "cacheReadInputTokens": 640, "cacheWriteInputTokens": 100, "outputTokens": 96}`
    #[test]
    fn bedrock_reports_the_cache_beside_the_input() {
        assert_eq!(
            normal(Usage::beside_cache(172, 640, 100, 96)),
            [Some(912), Some(96), Some(640), Some(100), None]
        );
    }

    /// `{"prompt_tokens": 812, "completion_tokens": 96, "prompt_tokens_details": {"cached_tokens": 640},
    /// "completion_tokens_details": {"reasoning_tokens": 64}}`
    #[test]
    fn openai_reports_the_cache_inside_the_input_and_reasoning_inside_the_output() {
        let usage = Usage::new(812, 96).cached(640).reasoning(64);
        assert_eq!(normal(usage), [Some(812), Some(96), Some(640), None, Some(64)]);
    }

    /// `{"promptTokenCount": 812, "cachedContentTokenCount": 640, "candidatesTokenCount": 32, "thoughtsTokenCount": 64}`:
    /// the thoughts are beside the candidates.
    #[test]
    fn gemini_reports_the_cache_inside_the_input() {
        let (candidates, thoughts) = (32, 64);
        let usage = Usage::new(812, candidates + thoughts).cached(640).reasoning(thoughts);
        assert_eq!(normal(usage), [Some(812), Some(96), Some(640), None, Some(64)]);
    }

    #[test]
    fn absent_counts_stay_unknown() {
        assert!(Usage::default().is_unknown());
        assert_eq!(normal(Usage::default().input(9)), [Some(9), None, None, None, None]);
        assert!(!Usage::new(0, 0).is_unknown(), "zero is known");
        assert!(Usage::default().cost_usd(0.5).is_unknown(), "a cost is no count of tokens");
        let whole = Usage::default().cost_usd(0.5).or(Usage::new(1, 2));
        assert_eq!((whole.input, whole.cost), (Some(1), Cost::reported(0.5)));
    }

    /// The corrected usage, and its flaws.
    fn corrected(usage: Usage) -> (Usage, Vec<Flaw>) {
        let (usage, flaws) = usage.corrected();
        (usage, flaws.iter().collect())
    }

    #[test]
    fn a_part_greater_than_its_whole_is_taken_to_be_beside_it() {
        let (usage, flaws) = corrected(Usage::new(172, 96).cached(640).cache_write(100));
        assert_eq!((usage.input, usage.cached, flaws), (Some(912), Some(640), vec![Flaw::Cache]));
        let (usage, flaws) = corrected(Usage::new(812, 32).reasoning(64));
        assert_eq!((usage.output, flaws), (Some(96), vec![Flaw::Reasoning]));
        assert_eq!(
            corrected(Usage::new(640, 64).cached(640).reasoning(64)).1,
            [],
            "equal parts keep the contract"
        );
    }

    #[test]
    fn a_part_of_an_unknown_whole_contradicts_nothing() {
        for usage in [Usage::default().output(96).cached(640), Usage::default().input(9).reasoning(5)] {
            assert_eq!(corrected(usage), (usage, vec![]));
        }
    }

    #[test]
    fn impossible_values_are_unknown_and_noted() {
        let (usage, flaws) = corrected(Usage::new(u64::MAX, 96));
        assert_eq!((usage.input, usage.output, flaws), (None, Some(96), vec![Flaw::Count]));
        let (usage, flaws) = corrected(Usage::new(1, 2).cost_usd(-0.5));
        assert_eq!((usage.cost, flaws), (None, vec![Flaw::Cost]));
        let (usage, flaws) = corrected(Usage::beside_cache(u64::MAX, 1, 1, 1));
        assert_eq!((usage.input, usage.cached, flaws), (None, Some(1), vec![Flaw::Count]), "not 2");
        assert_eq!(corrected(Usage::new(MOST_TOKENS, 0)), (Usage::new(MOST_TOKENS, 0), vec![]));
    }

    #[test]
    fn attempts_add_up() {
        let sum = |attempts: &[Usage]| {
            let mut sum = Usage::default();
            for attempt in attempts {
                sum.add_attempt(*attempt);
            }
            sum
        };
        let usage = sum(&[Usage::new(812, 40).cached(640), Usage::default(), Usage::new(100, 50)]);
        assert_eq!(normal(usage), [Some(912), Some(90), Some(640), None, None], "100 is not less than 640");
        let (usage, flaws) = corrected(sum(&[Usage::new(900, 1), Usage::new(172, 1).cached(640)]));
        assert_eq!((usage.input, flaws), (Some(1_712), vec![Flaw::Cache]), "each attempt by itself");
        let cost = |attempts: &[Usage]| sum(attempts).cost.map(|cost| (cost.nanos(), cost.is_estimate()));
        let paid = Usage::new(1, 1).cost_usd(0.5);
        assert_eq!(cost(&[Usage::default(), paid]), Some((500_000_000, false)));
        assert_eq!(cost(&[paid, paid]), Some((1_000_000_000, false)));
        assert_eq!(cost(&[paid, Usage::new(1, 1)]), Some((500_000_000, true)), "at least this");
    }

    #[test]
    fn later_counts_override_earlier_ones_where_they_are_known() {
        let mut usage = Usage::beside_cache(172, 640, 0, 1);
        usage.update(&Usage::default().output(40));
        usage.update(&Usage::default().output(96));
        assert_eq!(normal(usage), [Some(812), Some(96), Some(640), Some(0), None]);
        usage.update(&Usage::default());
        assert_eq!(usage.output, Some(96), "an item without usage changes nothing");
    }
}
