//! Sums over several model calls, which say how much of them is known.

use std::fmt;

use super::cost::{Cost, Dollars};
use super::{COUNTS, Usage};

/// The tokens of several model calls.
///
/// The calls whose input or output is not known are counted, so a sum that lacks a part says so:
/// `≥ 2436 in (1920 cached), 288 out (3 of 4 calls known)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// In the order of [`Usage::counts`].
    counts: [Option<u64>; COUNTS],
    /// The calls with any count, and those with input and with output.
    known: u64,
    known_wholes: [u64; 2],
    calls: u64,
}

/// The cost of several model calls.
///
/// The calls without a price are counted, so a sum that lacks a part says so: `≥ $1.42 (2 of 3 calls priced)`, or `unpriced`. A sum
/// with an estimate is no bound: `≈ $1.42 (2 of 3 calls priced)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostSum {
    nanos: u64,
    priced: u64,
    calls: u64,
    is_estimate: bool,
}

impl UsageSum {
    /// Adds a call.
    pub(crate) fn add(&mut self, usage: &Usage) {
        let counts = usage.counts();
        let known_wholes = [counts[0], counts[1]].map(|count| u64::from(count.is_some()));
        self.merge(&Self { counts, known: u64::from(!usage.is_unknown()), known_wholes, calls: 1 });
    }

    /// Adds the calls of another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(other.counts) {
            *own = own.map_or(other, |own| Some(own.saturating_add(other.unwrap_or(0))));
        }
        self.known += other.known;
        self.known_wholes.iter_mut().zip(other.known_wholes).for_each(|(own, other)| *own += other);
        self.calls += other.calls;
    }

    /// The sum if there were this many calls, those that are missing with unknown usage.
    pub(crate) fn of_calls(self, calls: u64) -> Self {
        Self { calls: calls.max(self.calls), ..self }
    }

    /// Returns the tokens of the input, those of the cache included; `None` if no call reported them.
    pub fn input_tokens(&self) -> Option<u64> {
        self.counts[0]
    }

    /// Returns the tokens of the output, those of reasoning included; `None` if no call reported them.
    pub fn output_tokens(&self) -> Option<u64> {
        self.counts[1]
    }

    /// Returns the tokens of the input that were read from the cache; `None` if no call reported them.
    pub fn cached_input_tokens(&self) -> Option<u64> {
        self.counts[2]
    }

    /// Returns the tokens of the input that were written to the cache; `None` if no call reported them.
    pub fn cache_write_input_tokens(&self) -> Option<u64> {
        self.counts[3]
    }

    /// Returns the tokens of the output that were used for reasoning; `None` if no call reported them.
    pub fn reasoning_output_tokens(&self) -> Option<u64> {
        self.counts[4]
    }

    /// Returns the sum of input and output; `None` if no call reported either.
    pub fn tokens(&self) -> Option<u64> {
        self.counts[..2].iter().copied().flatten().reduce(u64::saturating_add)
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The calls that the shown sums contain: a whole that no call reported is shown as unknown.
    fn complete_calls(&self) -> u64 {
        let wholes = self.known_wholes.into_iter().filter(|known| *known > 0);
        wholes.fold(self.known, u64::min)
    }

    /// Returns the number of calls that reported no tokens at all, whose tokens the sums lack.
    pub fn unknown_calls(&self) -> u64 {
        self.calls - self.known
    }
}

impl CostSum {
    /// Adds a call; `None` is one without a price.
    pub(crate) fn add(&mut self, cost: Option<Cost>) {
        let nanos = cost.map_or(0, Cost::nanos);
        let is_estimate = cost.is_some_and(Cost::is_estimate);
        self.merge(&Self { nanos, priced: u64::from(cost.is_some()), calls: 1, is_estimate });
    }

    /// Adds the calls of another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.nanos = self.nanos.saturating_add(other.nanos);
        self.priced += other.priced;
        self.calls += other.calls;
        self.is_estimate |= other.is_estimate;
    }

    /// The sum if there were this many calls, those that are missing without a price.
    pub(crate) fn of_calls(self, calls: u64) -> Self {
        Self { calls: calls.max(self.calls), ..self }
    }

    /// The mean over this many parts of the calls.
    #[cfg(feature = "http")]
    pub(crate) fn per(self, parts: u64) -> Self {
        Self { nanos: self.nanos / parts.max(1), ..self }
    }

    /// Returns the cost in billionths of a US dollar; `None` if no call has a price, which is not zero.
    pub fn nanos(&self) -> Option<u64> {
        (self.priced > 0).then_some(self.nanos)
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the number of calls with a price. If it is less than [`calls`](Self::calls), the sum is a lower bound, unless it
    /// [is an estimate](Self::is_estimate).
    pub fn priced_calls(&self) -> u64 {
        self.priced
    }

    /// Returns whether the cost of a call [is an estimate](Cost::is_estimate).
    pub fn is_estimate(&self) -> bool {
        self.is_estimate
    }
}

impl fmt::Display for UsageSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, .. } = *self;
        let known = self.complete_calls();
        if calls == 0 {
            return f.write_str("no model calls");
        }
        if known == 0 {
            return f.write_str("usage unknown");
        }
        if known < calls {
            f.write_str("≥ ")?;
        }
        let [input, output, cached, cache_write, reasoning] = self.counts;
        write_tokens(f, input, "in", &[(cached, "cached"), (cache_write, "written to the cache")])?;
        f.write_str(", ")?;
        write_tokens(f, output, "out", &[(reasoning, "reasoning")])?;
        if known < calls { write!(f, " ({known} of {calls} calls known)") } else { Ok(()) }
    }
}

/// Writes a count with its parts, as `812 in (640 cached)`.
fn write_tokens(
    f: &mut fmt::Formatter<'_>,
    whole: Option<u64>,
    name: &str,
    parts: &[(Option<u64>, &str)],
) -> fmt::Result {
    match whole {
        Some(tokens) => write!(f, "{tokens} {name}")?,
        None => write!(f, "? {name}")?,
    }
    let parts: Vec<_> = parts.iter().filter_map(|(part, name)| part.map(|part| (part, name))).collect();
    let parts = parts.iter().filter(|(part, _)| *part > 0);
    let shown: Vec<_> = parts.map(|(part, name)| format!("{part} {name}")).collect();
    if shown.is_empty() { Ok(()) } else { write!(f, " ({})", shown.join(", ")) }
}

impl fmt::Display for CostSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nanos, priced, calls, is_estimate } = *self;
        match priced {
            _ if calls == 0 => f.write_str("no model calls"),
            0 => f.write_str("unpriced"),
            _ if priced < calls => {
                // An estimate may be too high, so a sum with one is no bound.
                let sign = if is_estimate { "≈" } else { "≥" };
                write!(f, "{sign} ${} ({priced} of {calls} calls priced)", Dollars(nanos))
            }
            _ if is_estimate => write!(f, "≈ ${}", Dollars(nanos)),
            _ => write!(f, "${}", Dollars(nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(calls: &[Usage]) -> UsageSum {
        let mut sum = UsageSum::default();
        for usage in calls {
            sum.add(usage);
        }
        sum
    }

    fn cost(calls: &[Option<Cost>]) -> CostSum {
        let mut sum = CostSum::default();
        for cost in calls {
            sum.add(*cost);
        }
        sum
    }

    #[test]
    fn counts_that_no_call_reported_stay_unknown() {
        let sum = usage(&[Usage::new(812, 96).cached(640), Usage::default().input(8), Usage::default()]);
        assert_eq!((sum.input_tokens(), sum.output_tokens(), sum.tokens()), (Some(820), Some(96), Some(916)));
        assert_eq!((sum.cached_input_tokens(), sum.reasoning_output_tokens()), (Some(640), None));
        assert_eq!((sum.calls(), sum.unknown_calls()), (3, 1));
        assert_eq!(usage(&[Usage::default()]).tokens(), None);
    }

    #[test]
    fn a_sum_shows_its_unknown_part() {
        let known = Usage::new(812, 96).cached(640);
        for (calls, shown) in [
            (&[][..], "no model calls"),
            (&[Usage::default()], "usage unknown"),
            (&[known], "812 in (640 cached), 96 out"),
            (&[known.cached(0)], "812 in, 96 out"),
            (&[known, Usage::default()], "≥ 812 in (640 cached), 96 out (1 of 2 calls known)"),
            (&[Usage::default().input(5)], "5 in, ? out"),
            (&[known, Usage::default().input(5)], "≥ 817 in (640 cached), 96 out (1 of 2 calls known)"),
            (&[known, Usage::default().cost_usd(0.5)], "≥ 812 in (640 cached), 96 out (1 of 2 calls known)"),
            (&[Usage::default().cost_usd(0.5)], "usage unknown"),
            (&[Usage::new(0, 64).reasoning(60)], "0 in, 64 out (60 reasoning)"),
            (&[Usage::beside_cache(1, 2, 3, 4)], "6 in (2 cached, 3 written to the cache), 4 out"),
        ] {
            assert_eq!(usage(calls).to_string(), shown);
        }
    }

    #[test]
    fn a_cost_without_a_price_is_not_zero() {
        let known = Some(Cost::from_nano_usd(1_255_000));
        for (calls, nanos, shown) in [
            (&[][..], None, "no model calls"),
            (&[None], None, "unpriced"),
            (&[known, known], Some(2_510_000), "$0.00251"),
            (&[known, None], Some(1_255_000), "≥ $0.001255 (1 of 2 calls priced)"),
            (&[Some(Cost::from_nano_usd(0))], Some(0), "$0"),
            (&[Some(Cost::from_nano_usd(5).estimated())], Some(5), "≈ $0.000000005"),
            (
                &[Some(Cost::from_nano_usd(5).estimated()), None],
                Some(5),
                "≈ $0.000000005 (1 of 2 calls priced)",
            ),
        ] {
            assert_eq!((cost(calls).nanos(), &*cost(calls).to_string()), (nanos, shown));
        }
    }

    #[test]
    fn calls_that_are_missing_are_unknown() {
        let sum = usage(&[Usage::new(1, 2)]).of_calls(3);
        assert_eq!((sum.calls(), sum.unknown_calls()), (3, 2));
        assert_eq!(cost(&[None]).of_calls(3).calls(), 3);
        assert_eq!(cost(&[None, None]).of_calls(1).calls(), 2);
    }
}
