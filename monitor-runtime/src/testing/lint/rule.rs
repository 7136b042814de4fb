//! What there is to break.

/// A rule of the text format, or a convention for what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LintRule {
    /// A line that nobody can read, or metadata that contradicts what stands before it.
    Malformed,
    /// A metric says what it counts.
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
    /// A name does not say its metric's type.
    TypeInName,
    /// Colons are for the names of recording rules.
    Colon,
    /// Names are in `snake_case`.
    CamelCase,
    /// A series is there once.
    DuplicateSeries,
    /// The lines of a metric stand together.
    Scattered,
    /// A counter has a number, which is not below 0.
    CounterValue,
    /// Buckets have bounds, count what is below, and agree with the histogram's count.
    Histogram,
}
