//! Classifies a call by its result: the outcome, and the error if the result holds one.
//!
//! Stable Rust has no specialization, so the choice is made by method resolution: the compiler takes the first inherent
//! method whose bounds hold. A method that takes `self` by value comes before one that takes it by reference, which
//! `By` tells apart; each further `Deref` step is a lower rank. Most results are found at rank 0, since the compiler
//! searches anew in each annotated function.
//!
//! The names carry a `monitor_` prefix because a blanket trait method of the user's with the same name would win
//! instead.
//!
//! No step has two candidates. A return type that does not exist would fit both, and the compiler would report an
//! ambiguity in emitted code beside the unknown type.

use super::Verdict;
use super::fault::Fault;
use super::guard::{Call, settle};
use crate::families::Outcome;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

/// Lets a type decide the outcome of a tracked call that returned it.
///
/// It decides for functions that return the type itself, or `Ok` of it; an `Err` remains an error. An attribute's
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
    /// Returns the outcome of the call. It is called once, when the call returns.
    ///
    /// # Panics
    ///
    /// If it panics, the call counts as `panic`, and the panic continues to the caller.
    fn outcome(&self) -> Outcome;
}

/// Returns the outcome by an attribute's `error_if`.
#[inline]
pub fn error_if<R: ?Sized>(result: &R, is_error: impl FnOnce(&R) -> bool) -> Outcome {
    if is_error(result) { Outcome::Error } else { Outcome::Success }
}

/// Returns the outcome by an attribute's `ok_if`.
#[inline]
pub fn ok_if<R: ?Sized>(result: &R, is_ok: impl FnOnce(&R) -> bool) -> Outcome {
    if is_ok(result) { Outcome::Success } else { Outcome::Error }
}

/// The search for the classification of an `R`, at a rank. `By` is `Value` or `Variant`.
#[derive(Debug)]
pub struct ClassifyBy<R, By, const RANK: usize>(PhantomData<fn() -> (R, By)>);

impl<R, By, const RANK: usize> Clone for ClassifyBy<R, By, RANK> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, By, const RANK: usize> Copy for ClassifyBy<R, By, RANK> {}

/// The value decides, through [`Classify`].
#[derive(Debug)]
pub struct Value;

/// The variant decides: `Ok`, `Err`, or neither.
#[derive(Debug)]
pub struct Variant;

/// Begins the search: `classify(&result).monitor_classify(&result)`.
#[inline]
pub fn classify<R, By>(_: &R) -> ClassifyBy<R, By, 0> {
    ClassifyBy(PhantomData)
}

/// Defines how a call ends by its result, for the receiver `$this`.
macro_rules! settle_by {
    ($this:ty, $result:ty) => {
        /// Ends a call whose body has ended, by its result.
        #[inline]
        pub fn monitor_settle(self: $this, result: &$result, call: &mut Call) {
            let Verdict { outcome, fault } = self.monitor_classify(result);
            settle(call, outcome, fault);
        }
    };
}

/// Defines the classification of a `Result`, for the receiver `$this`.
macro_rules! by_result {
    ($this:ty, Ok($value:pat) => $outcome:expr, Err($error:pat) => $fault:expr) => {
        settle_by!($this, Result<T, E>);

        /// Returns the verdict on the result.
        #[inline]
        pub fn monitor_classify(self: $this, result: &'r Result<T, E>) -> Verdict<'r> {
            match result {
                Ok($value) => Verdict { outcome: $outcome, fault: None },
                Err($error) => Verdict { outcome: Outcome::Error, fault: $fault },
            }
        }

        /// Returns the error, if the result is one.
        #[inline]
        pub fn monitor_fault(self: $this, result: &'r Result<T, E>) -> Option<Fault<'r>> {
            match result {
                Ok(_) => None,
                Err($error) => $fault,
            }
        }
    };
}

/// Defines the classification of any other value, for the receiver `$this`.
macro_rules! by_value {
    ($this:ty, $value:pat => $outcome:expr) => {
        settle_by!($this, R);

        /// Returns the verdict on the value.
        #[inline]
        pub fn monitor_classify(self: $this, $value: &'r R) -> Verdict<'r> {
            Verdict { outcome: $outcome, fault: None }
        }

        /// Returns `None`.
        #[inline]
        pub fn monitor_fault(self: $this, _: &'r R) -> Option<Fault<'r>> {
            None
        }
    };
}

/// Implements a rank for results whose errors are shown in one way.
macro_rules! way {
    ($rank:literal $(<$held:lifetime>)?, [$($bound:tt)*], $error:pat => $fault:expr) => {
        impl<'r, $($held: 'r,)? T: Classify, E: $($bound)*> ClassifyBy<Result<T, E>, Value, $rank> {
            by_result!(Self, Ok(value) => value.outcome(), Err($error) => $fault);
        }

        by_variant!($rank $(<$held>)?, [$($bound)*], $error => $fault);
    };
}

/// Implements a rank for results of which only the variant counts, and the step to the next rank.
macro_rules! by_variant {
    ($rank:literal $(<$held:lifetime>)?, [$($bound:tt)*], $error:pat => $fault:expr) => {
        #[allow(clippy::trivially_copy_pass_by_ref, reason = "a receiver by reference comes second in method resolution")]
        impl<'r, $($held: 'r,)? T, E: $($bound)*> ClassifyBy<Result<T, E>, Variant, $rank> {
            by_result!(&Self, Ok(_) => Outcome::Success, Err($error) => $fault);
        }

        impl<R, By> Deref for ClassifyBy<R, By, $rank> {
            type Target = ClassifyBy<R, By, { $rank + 1 }>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &ClassifyBy(PhantomData)
            }
        }
    };
}

/// A result whose value decides: a [`Classify`] type, or a `Result` of one with a `std::error::Error`.
pub trait Decides {
    /// Returns the verdict on the result.
    fn verdict(&self) -> Verdict<'_>;

    /// Returns the error, if the result is one.
    fn fault(&self) -> Option<Fault<'_>>;
}

impl<R: Classify> Decides for R {
    #[inline]
    fn verdict(&self) -> Verdict<'_> {
        Verdict { outcome: self.outcome(), fault: None }
    }

    #[inline]
    fn fault(&self) -> Option<Fault<'_>> {
        None
    }
}

// Does not overlap with the implementation above: only this crate could implement `Classify` for `Result`.
impl<T: Classify, E: Error> Decides for Result<T, E> {
    #[inline]
    fn verdict(&self) -> Verdict<'_> {
        match self {
            Ok(value) => Verdict { outcome: value.outcome(), fault: None },
            Err(error) => Verdict { outcome: Outcome::Error, fault: Some(Fault::Error(error)) },
        }
    }

    #[inline]
    fn fault(&self) -> Option<Fault<'_>> {
        self.as_ref().err().map(|error| Fault::Error(error))
    }
}

// The value decides, and the error is a `std::error::Error`.
impl<'r, R: Decides> ClassifyBy<R, Value, 0> {
    settle_by!(Self, R);

    /// Returns the verdict on the result.
    #[inline]
    pub fn monitor_classify(self, result: &'r R) -> Verdict<'r> {
        result.verdict()
    }

    /// Returns the error, if the result is one.
    #[inline]
    pub fn monitor_fault(self, result: &'r R) -> Option<Fault<'r>> {
        result.fault()
    }
}

// The error is a `std::error::Error`.
by_variant!(0, [Error], error => Some(Fault::Error(error)));
// The error contains one that is `Send + Sync`, like `Box<dyn Error + Send + Sync>` and `anyhow::Error`.
way!(1<'e>, [AsRef<dyn Error + Send + Sync + 'e>], error => Some(Fault::Error(error.as_ref())));
// The error contains one that is `Send`, like `Box<dyn Error + Send>`.
way!(2<'e>, [AsRef<dyn Error + Send + 'e>], error => Some(Fault::Error(error.as_ref())));
// The error contains one, like `Box<dyn Error>`.
way!(3<'e>, [AsRef<dyn Error + 'e>], error => Some(Fault::Error(error.as_ref())));
// The error can be displayed.
way!(4, [Display], error => Some(Fault::Display(error)));
// The error can be debugged.
way!(5, [Debug], error => Some(Fault::Debug(error)));
// The error cannot be shown.
way!(6, [Sized], _ => None);

// Any other return value is not an error.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "like the other ranks")]
impl<'r, R> ClassifyBy<R, Variant, 7> {
    by_value!(&Self, _ => Outcome::Success);
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    struct Reply(Outcome);

    impl Classify for Reply {
        fn outcome(&self) -> Outcome {
            self.0
        }
    }

    macro_rules! judged {
        ($result:expr) => {
            classify(&$result).monitor_classify(&$result).outcome
        };
    }

    #[test]
    fn the_most_telling_trait_judges() {
        assert_eq!(judged!(1), Outcome::Success);
        assert_eq!(judged!(Ok::<u8, u8>(1)), Outcome::Success);
        assert_eq!(judged!(Err::<u8, u8>(1)), Outcome::Error);
        assert_eq!(judged!(Reply(Outcome::Cancelled)), Outcome::Cancelled);
        assert_eq!(judged!(Ok::<Reply, u8>(Reply(Outcome::Error))), Outcome::Error);
        assert_eq!(judged!(Ok::<Reply, fmt::Error>(Reply(Outcome::Error))), Outcome::Error);
        assert_eq!(judged!(Err::<Reply, u8>(1)), Outcome::Error);
    }

    #[derive(Debug)]
    struct Undisplayed;

    struct Unnamed;

    macro_rules! fault {
        ($result:expr) => {
            classify(&$result).monitor_fault(&$result)
        };
    }

    #[test]
    fn an_error_is_shown_by_its_best_trait() {
        let io = Err::<(), _>(std::io::Error::other("disk gone"));
        assert!(matches!(fault!(io), Some(Fault::Error(_))));
        let replied = Err::<Reply, _>(fmt::Error);
        assert!(matches!(fault!(replied), Some(Fault::Error(_))));
        let boxed: Result<(), Box<dyn Error + Send + Sync>> = Err("boxed".into());
        assert!(matches!(fault!(boxed), Some(Fault::Error(_))));
        let replied: Result<Reply, Box<dyn Error + Send + Sync>> = Err("boxed".into());
        assert!(matches!(fault!(replied), Some(Fault::Error(_))));
        let boxed: Result<(), Box<dyn Error + Send>> = Err(Box::new(fmt::Error));
        assert!(matches!(fault!(boxed), Some(Fault::Error(_))));
        let boxed: Result<(), Box<dyn Error>> = Err("boxed".into());
        assert!(matches!(fault!(boxed), Some(Fault::Error(_))));
        assert!(matches!(fault!(Err::<(), _>("text")), Some(Fault::Display(_))));
        assert!(matches!(fault!(Err::<Reply, _>("text")), Some(Fault::Display(_))));
        assert!(matches!(fault!(Err::<(), _>(Undisplayed)), Some(Fault::Debug(_))));
        assert!(fault!(Err::<(), _>(Unnamed)).is_none());
        assert!(fault!(Ok::<u8, Unnamed>(1)).is_none());
        assert!(fault!(1).is_none());
    }
}
