//! The outcomes of calls.

/// The outcome of a tracked call; the label `status` of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It returned, and the result is not an error.
    Success,
    /// It returned an error.
    Error,
    /// Its body panicked.
    Panic,
    /// Its future or stream was dropped before its end.
    Cancelled,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Success, Self::Error, Self::Panic, Self::Cancelled];
    /// Sorted by label value.
    pub(crate) const BY_NAME: [Self; 4] = [Self::Cancelled, Self::Error, Self::Panic, Self::Success];

    /// Returns the value of the label `status`: `success`, `error`, `panic` or `cancelled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_sort_as_their_labels() {
        assert!(Outcome::BY_NAME.map(Outcome::as_str).is_sorted());
    }
}
