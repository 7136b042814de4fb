//! How a call ended, and how its result is judged.

/// How a tracked call ended: the `status` label of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It returned, and what it returned is not an error.
    Success,
    /// It returned an error.
    Error,
    /// Its body unwound.
    Panic,
    /// Its future or stream was dropped before its end.
    Cancelled,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Success, Self::Error, Self::Panic, Self::Cancelled];
    /// Sorted as their label values sort.
    pub(crate) const BY_NAME: [Self; 4] = [Self::Cancelled, Self::Error, Self::Panic, Self::Success];

    /// The value of the `status` label: `success`, `error`, `panic` or `cancelled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Lets a type decide how a tracked call that returned it ended.
///
/// A function that returns the type itself, or `Ok` of it, is judged by it; an `Err` stays an error. An attribute's
/// `error_if` or `ok_if` takes precedence.
///
/// ```
/// use monitor_runtime::{Classify, Outcome};
///
/// struct Reply { refused: bool }
///
/// impl Classify for Reply {
///     fn outcome(&self) -> Outcome {
///         if self.refused { Outcome::Error } else { Outcome::Success }
///     }
/// }
/// ```
pub trait Classify {
    /// How the call ended. It is asked once, as the call returns.
    ///
    /// # Panics
    ///
    /// Should it panic, the call counts as `panic`, and the panic goes on to the caller.
    fn outcome(&self) -> Outcome;
}

/// Judges by an attribute's `error_if`.
#[inline]
pub fn error_if<R: ?Sized>(result: &R, is_error: impl FnOnce(&R) -> bool) -> Outcome {
    if is_error(result) { Outcome::Error } else { Outcome::Success }
}

/// Judges by an attribute's `ok_if`.
#[inline]
pub fn ok_if<R: ?Sized>(result: &R, is_ok: impl FnOnce(&R) -> bool) -> Outcome {
    if is_ok(result) { Outcome::Success } else { Outcome::Error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_sort_as_their_labels() {
        assert!(Outcome::BY_NAME.map(Outcome::as_str).is_sorted());
    }
}
