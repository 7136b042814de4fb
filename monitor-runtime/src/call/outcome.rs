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

/// One way of reading a result that holds the next best: method look-up takes the first whose bounds hold, which is how a
/// choice by type is made on stable Rust. As inherent methods they cost the compiler little, and need no import; their names
/// are such as no trait of the user's has, since one for every type would be chosen too.
macro_rules! next {
    ($way:ident => $next:ident) => {
        impl<'r, R: ?Sized> std::ops::Deref for $way<'r, R> {
            type Target = $next<'r, R>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    };
}
pub(super) use next;

/// The outcome that a result says, by the most telling way its type has: `outcome_of(&result).monitor_outcome()`.
#[inline]
pub fn outcome_of<R: ?Sized>(result: &R) -> ByItself<'_, R> {
    ByItself(ByOk(ByResult(ByReturn(result))))
}

/// The result decides for itself.
#[derive(Debug)]
pub struct ByItself<'r, R: ?Sized>(ByOk<'r, R>);
next!(ByItself => ByOk);

impl<R: Classify + ?Sized> ByItself<'_, R> {
    /// See [`Classify::outcome`].
    #[inline]
    pub fn monitor_outcome(&self) -> Outcome {
        self.0.0.0.0.outcome()
    }
}

/// The `Ok` value decides.
#[derive(Debug)]
pub struct ByOk<'r, R: ?Sized>(ByResult<'r, R>);
next!(ByOk => ByResult);

impl<T: Classify, E> ByOk<'_, Result<T, E>> {
    /// `Error` for `Err`, else what the value says.
    #[inline]
    pub fn monitor_outcome(&self) -> Outcome {
        self.0.0.0.as_ref().map_or(Outcome::Error, Classify::outcome)
    }
}

/// A `Result`, by whatever alias.
#[derive(Debug)]
pub struct ByResult<'r, R: ?Sized>(ByReturn<'r, R>);
next!(ByResult => ByReturn);

impl<T, E> ByResult<'_, Result<T, E>> {
    /// `Success` for `Ok`, `Error` for `Err`.
    #[inline]
    pub fn monitor_outcome(&self) -> Outcome {
        if self.0.0.is_ok() { Outcome::Success } else { Outcome::Error }
    }
}

/// Anything else that is returned.
#[derive(Debug)]
pub struct ByReturn<'r, R: ?Sized>(&'r R);

impl<R: ?Sized> ByReturn<'_, R> {
    /// `Success`.
    #[inline]
    #[allow(clippy::unused_self, reason = "it stands last in a look-up by method")]
    pub fn monitor_outcome(&self) -> Outcome {
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
            outcome_of(&$result).monitor_outcome()
        };
    }

    #[test]
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
