//! The flaws of a reported usage.

/// A way in which a usage cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flaw {
    /// A count of tokens that no call can have.
    Count,
    /// A cost that no call can have.
    Cost,
    /// More tokens of the cache than of the input.
    Cache,
    /// More tokens of reasoning than of the output.
    Reasoning,
}

/// A set of flaws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flaws(u8);

impl Flaws {
    pub(super) fn add(&mut self, flaw: Flaw) {
        self.0 |= 1 << flaw as u8;
    }

    pub(super) fn merge(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, flaw: Flaw) -> bool {
        self.0 >> flaw as u8 & 1 == 1
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Flaw> {
        [Flaw::Count, Flaw::Cost, Flaw::Cache, Flaw::Reasoning]
            .into_iter()
            .filter(move |flaw| self.contains(*flaw))
    }
}
