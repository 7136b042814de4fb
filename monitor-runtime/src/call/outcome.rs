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

/// A result to be judged by whichever of the `Via` traits fits it best.
///
/// Emitted code writes `(&&&&Probe(result)).monitor_outcome()`: method look-up takes the first trait that holds, from the
/// most references to the fewest, which is how a choice by type is made on stable Rust. Methods chosen so have names that no
/// trait of the user's has, since one for every type would be chosen too.
#[derive(Debug)]
pub struct Probe<'r, R: ?Sized>(pub &'r R);

/// The result decides for itself.
pub trait ViaClassify {
    /// See [`Classify::outcome`].
    fn monitor_outcome(&self) -> Outcome;
}

impl<R: Classify> ViaClassify for &&&Probe<'_, R> {
    #[inline]
    fn monitor_outcome(&self) -> Outcome {
        self.0.outcome()
    }
}

/// The `Ok` value decides.
pub trait ViaClassifyOk {
    /// `Error` for `Err`, else what the value says.
    fn monitor_outcome(&self) -> Outcome;
}

impl<T: Classify, E> ViaClassifyOk for &&Probe<'_, Result<T, E>> {
    #[inline]
    fn monitor_outcome(&self) -> Outcome {
        self.0.as_ref().map_or(Outcome::Error, Classify::outcome)
    }
}

/// A `Result`, by whatever alias.
pub trait ViaResult {
    /// `Success` for `Ok`, `Error` for `Err`.
    fn monitor_outcome(&self) -> Outcome;
}

impl<T, E> ViaResult for &Probe<'_, Result<T, E>> {
    #[inline]
    fn monitor_outcome(&self) -> Outcome {
        if self.0.is_ok() { Outcome::Success } else { Outcome::Error }
    }
}

/// Anything else that is returned.
pub trait ViaReturn {
    /// `Success`.
    fn monitor_outcome(&self) -> Outcome;
}

impl<R: ?Sized> ViaReturn for Probe<'_, R> {
    #[inline]
    fn monitor_outcome(&self) -> Outcome {
        Outcome::Success
    }
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

    struct Reply(Outcome);

    impl Classify for Reply {
        fn outcome(&self) -> Outcome {
            self.0
        }
    }

    macro_rules! judged {
        ($result:expr) => {
            (&&&&Probe(&$result)).monitor_outcome()
        };
    }

    #[test]
    #[allow(clippy::needless_borrow, reason = "the references select the trait")]
    fn the_most_telling_trait_judges() {
        assert_eq!(judged!(1), Outcome::Success);
        assert_eq!(judged!(Ok::<u8, u8>(1)), Outcome::Success);
        assert_eq!(judged!(Err::<u8, u8>(1)), Outcome::Error);
        assert_eq!(judged!(Reply(Outcome::Cancelled)), Outcome::Cancelled);
        assert_eq!(judged!(Ok::<Reply, u8>(Reply(Outcome::Error))), Outcome::Error);
        assert_eq!(judged!(Err::<Reply, u8>(1)), Outcome::Error);
    }

    #[test]
    fn outcomes_sort_as_their_labels() {
        assert!(Outcome::BY_NAME.map(Outcome::as_str).is_sorted());
    }
}
