//! The rules that [`lint`](super::lint) checks.

/// A rule of the text format, or a convention for its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LintRule {
    /// Each line is readable, and no metadata contradicts earlier lines.
    Malformed,
    /// A metric has a help text.
    Help,
    /// A metric has a type.
    Type,
    /// The name of a counter ends in `_total`, and no other name does.
    TotalSuffix,
    /// `_bucket`, `_count` and `_sum` are for histograms and summaries.
    ReservedSuffix,
    /// `le` is for histograms, `quantile` for summaries, `__…` for Prometheus itself.
    ReservedLabel,
    /// Quantities are in base units: seconds, bytes.
    BaseUnit,
    /// Units are written out.
    AbbreviatedUnit,
    /// A name does not contain its metric's type.
    TypeInName,
    /// Colons are for the names of recording rules.
    Colon,
    /// Names are in `snake_case`.
    CamelCase,
    /// A series occurs once.
    DuplicateSeries,
    /// The lines of a metric are adjacent.
    Scattered,
    /// The value of a counter is a number not below 0.
    CounterValue,
    /// Buckets have bounds, are cumulative, and agree with the histogram's count.
    Histogram,
}
