//! The cost of a model call, in whole billionths of a dollar.

use std::fmt;

/// Billionths in a dollar.
const NANOS: u64 = 1_000_000_000;

/// The most that one call can cost, a million dollars. A greater amount is a mistake of its source.
const MOST_NANOS: u64 = 1_000_000 * NANOS;

/// The cost of one model call in US dollars.
///
/// It is kept in whole nano-dollars, so sums of costs are exact. `Display` shows dollars: `$0.001015`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    nanos: u64,
    source: CostSource,
    is_estimate: bool,
}

/// The source of a [`Cost`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CostSource {
    /// The provider reported the cost with its reply.
    Provider,
    /// The cost was computed in this process, from prices of this day if that is known.
    Local {
        /// The day that the prices are of.
        as_of: Option<PriceDate>,
    },
}

impl Cost {
    /// Makes a cost that was computed in this process, from billionths of a US dollar.
    pub const fn from_nano_usd(nanos: u64) -> Self {
        Self { nanos, source: CostSource::Local { as_of: None }, is_estimate: false }
    }

    /// Makes a cost that was computed in this process, from US dollars, rounded to a billionth. `None` if the amount is negative,
    /// not a number, or above a million dollars.
    ///
    /// ```
    /// use monitor_runtime::genai::Cost;
    ///
    /// assert_eq!(Cost::from_usd(0.001_015), Some(Cost::from_nano_usd(1_015_000)));
    /// assert_eq!(Cost::from_usd(-1.0), None);
    /// ```
    pub fn from_usd(dollars: f64) -> Option<Self> {
        Self::reported(dollars).map(|cost| Self::from_nano_usd(cost.nanos))
    }

    /// Makes a cost that the provider reported, in dollars. `None` if the amount is negative, not a number, or above a
    /// million dollars.
    pub(super) fn reported(dollars: f64) -> Option<Self> {
        let nanos = (dollars * NANOS as f64).round();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie within u64"
        )]
        let nanos = (0.0..=MOST_NANOS as f64).contains(&nanos).then_some(nanos as u64)?;
        Some(Self { nanos, source: CostSource::Provider, is_estimate: false })
    }

    /// Returns the cost with the day that its prices are of. A cost that the provider reported has none and stays as it
    /// is.
    pub const fn dated(mut self, day: PriceDate) -> Self {
        if let CostSource::Local { .. } = self.source {
            self.source = CostSource::Local { as_of: Some(day) };
        }
        self
    }

    /// Returns the cost marked as an estimate, since a rate or a count was not known.
    pub const fn estimated(mut self) -> Self {
        self.is_estimate = true;
        self
    }

    /// The sum with the cost of another attempt of the same call.
    pub(super) fn plus(self, other: Self) -> Self {
        let nanos = self.nanos.saturating_add(other.nanos);
        Self { nanos, is_estimate: self.is_estimate || other.is_estimate, ..self }
    }

    /// Returns the cost in billionths of a dollar.
    pub const fn nanos(self) -> u64 {
        self.nanos
    }

    /// Returns the source of the cost.
    pub const fn source(self) -> CostSource {
        self.source
    }

    /// Returns whether the cost is an estimate: a rate of the cache was not known and that of the input took its place, or the
    /// input or the output was not known and is missing from it.
    ///
    /// A call without output, such as one of embeddings, reports 0 for it.
    pub const fn is_estimate(self) -> bool {
        self.is_estimate
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", Dollars(self.nanos))
    }
}

/// Nano-dollars, shown as dollars with as many decimals as they need.
pub(super) struct Dollars(pub(super) u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / NANOS, self.0 % NANOS);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:09}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// The day that prices are of, as `2026-11-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceDate {
    year: u16,
    month: u8,
    day: u8,
}

impl PriceDate {
    /// Parses a day of the form `2026-11-01`; `None` if it has another form or does not exist.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digits =
            |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !is_digits(year, 4) || !is_digits(month, 2) || !is_digits(day, 2) {
            return None;
        }
        let date = Self { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        (1..=date.days_of_month()?).contains(&date.day).then_some(date)
    }

    fn days_of_month(self) -> Option<u8> {
        let is_leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        match self.month {
            2 => Some(if is_leap { 29 } else { 28 }),
            4 | 6 | 9 | 11 => Some(30),
            1..=12 => Some(31),
            _ => None,
        }
    }
}

impl fmt::Display for PriceDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_shown_in_dollars_to_the_last_nano() {
        for (nanos, shown) in [
            (0, "$0"),
            (1, "$0.000000001"),
            (1_015_000, "$0.001015"),
            (1_420_000_000, "$1.42"),
            (3_000_000_000, "$3"),
            (u64::MAX, "$18446744073.709551615"),
        ] {
            assert_eq!(Cost::from_nano_usd(nanos).to_string(), shown);
        }
    }

    #[test]
    fn an_amount_that_no_call_can_cost_is_refused() {
        assert_eq!(Cost::reported(0.001_015).unwrap().nanos(), 1_015_000);
        assert_eq!(Cost::reported(0.0).unwrap().nanos(), 0);
        for wrong in [-0.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e7] {
            assert_eq!((Cost::reported(wrong), Cost::from_usd(wrong)), (None, None), "{wrong}");
        }
    }

    #[test]
    fn only_days_that_exist_are_dates() {
        for day in ["2026-11-01", "2024-02-29", "2000-02-29", "2026-12-31"] {
            assert_eq!(PriceDate::parse(day).unwrap().to_string(), day);
        }
        for wrong in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-11-00",
            "2026-11-1",
            "+026-11-01",
            "2026-11-01-01",
            "today",
            "",
        ] {
            assert_eq!(PriceDate::parse(wrong), None, "{wrong}");
        }
    }
}
