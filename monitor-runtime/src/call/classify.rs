//! Classifies a call by its result: the outcome, and the error if the result holds one.
//!
//! Stable Rust has no specialization, so the choice is made by method resolution: the compiler takes the first inherent
//! method whose bounds hold. A method that takes `self` by value comes before one that takes it by reference, which
//! `By` tells apart; each further `Deref` step is a lower rank. Most results are found at rank 0 or 1, since the
//! compiler searches anew in each annotated function.
//!
//! The names carry a `monitor_` prefix because a blanket trait method of the user's with the same name would win
//! instead.
//!
//! No step has two candidates. A return type that does not exist would fit both, and the compiler would report an
//! ambiguity in emitted code beside the unknown type.

use super::Verdict;
use super::fault::{Fault, Shown};
use super::guard::{Call, settle};
use crate::families::Outcome;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

/// Lets a type decide the outcome of a tracked call that returned it.
///
/// It decides for functions that return the type itself, `Ok` of it or `Err` of it. An `Err` of any other type is an
/// error. An attribute's `error_if` or `ok_if` takes precedence over [`outcome`](Self::outcome).
///
/// Implement it for an error type to return [`Outcome::Success`] for errors that are the caller's fault and no failure
/// of the service. Their calls then count as successes, and no error is logged.
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
///
/// ```
/// use monitor_runtime::{Classify, Outcome};
///
/// enum LoginError { WrongPassword, Database(std::io::Error) }
///
/// impl Classify for LoginError {
///     fn outcome(&self) -> Outcome {
///         match self {
///             Self::WrongPassword => Outcome::Success,
///             Self::Database(_) => Outcome::Error,
///         }
///     }
///
///     fn error_type(&self) -> Option<&'static str> {
///         matches!(self, Self::Database(_)).then_some("database")
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

    /// Returns the type of the error: one name of a small set, such as `timeout` (default: none).
    ///
    /// It is called at most once for each result, and has an effect only if the call is an error. The type is the label
    /// `error_type` of `agent_errors_total`, `skill_errors_total`, `db_query_errors_total` and `model_errors_total`, the
    /// field `error.type` of the error's log line, and the attribute `error.type` of an exported span. An empty name counts
    /// as none.
    ///
    /// # Panics
    ///
    /// If it panics, the call counts as `panic`, and the panic continues to the caller.
    fn error_type(&self) -> Option<&'static str> {
        None
    }
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

/// Defines the classification of a `Result`, for the receiver `$this`. Each variant has a verdict, and a fault in case
/// a predicate decides the outcome.
macro_rules! by_result {
    ($this:ty, Ok($value:pat) => $ok:expr, $ok_fault:expr; Err($error:pat) => $err:expr, $err_fault:expr) => {
        settle_by!($this, Result<T, E>);

        /// Returns the verdict on the result.
        #[inline]
        pub fn monitor_classify(self: $this, result: &'r Result<T, E>) -> Verdict<'r> {
            match result {
                Ok($value) => $ok,
                Err($error) => $err,
            }
        }

        /// Returns the error, if the result is one.
        #[inline]
        pub fn monitor_fault(self: $this, result: &'r Result<T, E>) -> Option<Fault<'r>> {
            match result {
                Ok($value) => $ok_fault,
                Err($error) => $err_fault,
            }
        }
    };
}

/// The verdict on a value that classifies itself.
#[inline]
fn judged<'r>(value: &impl Classify, shown: Option<Shown<'r>>) -> Verdict<'r> {
    let outcome = value.outcome();
    let fault = if outcome == Outcome::Error { fault_of(value, shown) } else { None };
    Verdict { outcome, fault }
}

/// The fault of a value that classifies itself; `None` if it has no type and no trait shows it.
#[inline]
fn fault_of<'r>(value: &impl Classify, shown: Option<Shown<'r>>) -> Option<Fault<'r>> {
    Fault::typed(shown, value.error_type())
}

/// The verdict on an error that does not classify itself.
#[inline]
fn failed(shown: Option<Shown<'_>>) -> Verdict<'_> {
    Verdict { outcome: Outcome::Error, fault: shown.map(Shown::untyped) }
}

const PASSED: Verdict<'static> = Verdict { outcome: Outcome::Success, fault: None };

/// Implements the step to the next rank.
macro_rules! next {
    ($rank:literal) => {
        impl<R, By> Deref for ClassifyBy<R, By, $rank> {
            type Target = ClassifyBy<R, By, { $rank + 1 }>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &ClassifyBy(PhantomData)
            }
        }
    };
}

/// Implements a rank for results whose errors are shown in one way.
macro_rules! way {
    ($rank:literal $(<$held:lifetime>)?, [$($bound:tt)*], $error:pat => $shown:expr) => {
        impl<'r, $($held: 'r,)? T: Classify, E: $($bound)*> ClassifyBy<Result<T, E>, Value, $rank> {
            by_result!(Self,
                Ok(value) => judged(value, None), fault_of(value, None);
                Err($error) => failed($shown), $shown.map(Shown::untyped)
            );
        }

        #[allow(clippy::trivially_copy_pass_by_ref, reason = "a receiver by reference comes second in method resolution")]
        impl<'r, $($held: 'r,)? T, E: $($bound)*> ClassifyBy<Result<T, E>, Variant, $rank> {
            by_result!(&Self, Ok(_) => PASSED, None; Err($error) => failed($shown), $shown.map(Shown::untyped));
        }

        next!($rank);
    };
}

/// Implements a rank for results whose errors classify themselves and are shown in one way.
macro_rules! judged_way {
    ($rank:literal, [$($bound:tt)*], $error:ident => $shown:expr) => {
        impl<'r, T: Classify, E: Classify + $($bound)*> ClassifyBy<Result<T, E>, Value, $rank> {
            by_result!(Self,
                Ok(value) => judged(value, None), fault_of(value, None);
                Err($error) => judged($error, $shown), fault_of($error, $shown)
            );
        }

        judged_variant!($rank, [$($bound)*], $error => $shown);
    };
}

/// Implements a rank for results of which only the error classifies itself.
macro_rules! judged_variant {
    ($rank:literal, [$($bound:tt)*], $error:ident => $shown:expr) => {
        #[allow(clippy::trivially_copy_pass_by_ref, reason = "a receiver by reference comes second in method resolution")]
        impl<'r, T, E: Classify + $($bound)*> ClassifyBy<Result<T, E>, Variant, $rank> {
            by_result!(&Self, Ok(_) => PASSED, None; Err($error) => judged($error, $shown), fault_of($error, $shown));
        }

        next!($rank);
    };
}

/// A result that decides: a [`Classify`] type, or a `Result` of one whose error is `Classify` and `std::error::Error`.
pub trait Decides {
    /// Returns the verdict on the result.
    fn verdict(&self) -> Verdict<'_>;

    /// Returns the error, if the result is one.
    fn fault(&self) -> Option<Fault<'_>>;
}

impl<R: Classify> Decides for R {
    #[inline]
    fn verdict(&self) -> Verdict<'_> {
        judged(self, None)
    }

    #[inline]
    fn fault(&self) -> Option<Fault<'_>> {
        fault_of(self, None)
    }
}

// Does not overlap with the implementation above: only this crate could implement `Classify` for `Result`.
impl<T: Classify, E: Classify + Error> Decides for Result<T, E> {
    #[inline]
    fn verdict(&self) -> Verdict<'_> {
        match self {
            Ok(value) => judged(value, None),
            Err(error) => judged(error, Some(Shown::Error(error))),
        }
    }

    #[inline]
    fn fault(&self) -> Option<Fault<'_>> {
        match self {
            Ok(value) => fault_of(value, None),
            Err(error) => fault_of(error, Some(Shown::Error(error))),
        }
    }
}

// The value decides, and so does the error, which is a `std::error::Error`.
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

// The error decides, and is a `std::error::Error`.
judged_variant!(0, [Error], error => Some(Shown::Error(error)));
// The error is a `std::error::Error`.
way!(1, [Error], error => Some(Shown::Error(error)));
// The error decides, and can be displayed.
judged_way!(2, [Display], error => Some(Shown::Display(error)));
// The error decides, and can be debugged.
judged_way!(3, [Debug], error => Some(Shown::Debug(error)));
// The error decides, and cannot be shown.
judged_way!(4, [Sized], error => None);
// The error contains one that is `Send + Sync`, like `Box<dyn Error + Send + Sync>` and `anyhow::Error`.
way!(5<'e>, [AsRef<dyn Error + Send + Sync + 'e>], error => Some(Shown::Error(error.as_ref())));
// The error contains one that is `Send`, like `Box<dyn Error + Send>`.
way!(6<'e>, [AsRef<dyn Error + Send + 'e>], error => Some(Shown::Error(error.as_ref())));
// The error contains one, like `Box<dyn Error>`.
way!(7<'e>, [AsRef<dyn Error + 'e>], error => Some(Shown::Error(error.as_ref())));
// The error can be displayed.
way!(8, [Display], error => Some(Shown::Display(error)));
// The error can be debugged.
way!(9, [Debug], error => Some(Shown::Debug(error)));
// The error cannot be shown.
way!(10, [Sized], _ => None);

// Any other return value is not an error.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "like the other ranks")]
impl<'r, R> ClassifyBy<R, Variant, 11> {
    settle_by!(&Self, R);

    /// Returns the verdict on the value.
    #[inline]
    pub fn monitor_classify(&self, _: &'r R) -> Verdict<'r> {
        PASSED
    }

    /// Returns `None`.
    #[inline]
    pub fn monitor_fault(&self, _: &'r R) -> Option<Fault<'r>> {
        None
    }
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
            classify(&$result).monitor_fault(&$result).and_then(|fault| fault.shown())
        };
    }

    #[test]
    fn an_error_is_shown_by_its_best_trait() {
        let io = Err::<(), _>(std::io::Error::other("disk gone"));
        assert!(matches!(fault!(io), Some(Shown::Error(_))));
        let replied = Err::<Reply, _>(fmt::Error);
        assert!(matches!(fault!(replied), Some(Shown::Error(_))));
        let boxed: Result<(), Box<dyn Error + Send + Sync>> = Err("boxed".into());
        assert!(matches!(fault!(boxed), Some(Shown::Error(_))));
        let replied: Result<Reply, Box<dyn Error + Send + Sync>> = Err("boxed".into());
        assert!(matches!(fault!(replied), Some(Shown::Error(_))));
        let boxed: Result<(), Box<dyn Error + Send>> = Err(Box::new(fmt::Error));
        assert!(matches!(fault!(boxed), Some(Shown::Error(_))));
        let boxed: Result<(), Box<dyn Error>> = Err("boxed".into());
        assert!(matches!(fault!(boxed), Some(Shown::Error(_))));
        assert!(matches!(fault!(Err::<(), _>("text")), Some(Shown::Display(_))));
        assert!(matches!(fault!(Err::<Reply, _>("text")), Some(Shown::Display(_))));
        assert!(matches!(fault!(Err::<(), _>(Undisplayed)), Some(Shown::Debug(_))));
        assert!(fault!(Err::<(), _>(Unnamed)).is_none());
        assert!(fault!(Ok::<u8, Unnamed>(1)).is_none());
        assert!(fault!(1).is_none());
    }

    /// Defines error types that classify themselves; a different trait shows each.
    macro_rules! classified {
        ($($error:ident),*) => {$(
            #[allow(dead_code, reason = "only its trait shows it")]
            struct $error(Outcome);

            impl Classify for $error {
                fn outcome(&self) -> Outcome {
                    self.0
                }

                fn error_type(&self) -> Option<&'static str> {
                    Some(stringify!($error))
                }
            }
        )*};
    }

    classified!(AnError, Displayed, Debugged, Hidden);

    impl Debug for AnError {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    impl Display for AnError {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    impl Error for AnError {}

    impl Display for Displayed {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    impl Debug for Debugged {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    #[test]
    fn an_error_that_classifies_itself_decides_however_it_is_shown() {
        macro_rules! check {
            ($error:ident, $is_shown:expr) => {
                for outcome in Outcome::ALL {
                    assert_eq!(judged!(Err::<u8, _>($error(outcome))), outcome);
                    assert_eq!(judged!(Err::<Reply, _>($error(outcome))), outcome);
                }
                assert_eq!(judged!(Ok::<u8, $error>(1)), Outcome::Success);
                assert_eq!(judged!(Ok::<Reply, $error>(Reply(Outcome::Error))), Outcome::Error);
                let result = Err::<u8, _>($error(Outcome::Error));
                let fault = classify(&result).monitor_classify(&result).fault.unwrap();
                assert_eq!(fault.error_type(), Some(stringify!($error)));
                assert!($is_shown(fault.shown()));
                let result = Err::<Reply, _>($error(Outcome::Success));
                assert!(classify(&result).monitor_classify(&result).fault.is_none());
                let fault = classify(&result).monitor_fault(&result).unwrap();
                assert_eq!(
                    fault.error_type(),
                    Some(stringify!($error)),
                    "a predicate decides that it is an error"
                );
                assert!($is_shown(fault.shown()));
            };
        }
        check!(AnError, |shown| matches!(shown, Some(Shown::Error(_))));
        check!(Displayed, |shown| matches!(shown, Some(Shown::Display(_))));
        check!(Debugged, |shown| matches!(shown, Some(Shown::Debug(_))));
        check!(Hidden, |shown: Option<Shown<'_>>| shown.is_none());
    }

    #[test]
    fn a_value_that_is_an_error_has_a_type_and_nothing_to_show() {
        let fault = judged(&Displayed(Outcome::Error), None).fault.unwrap();
        assert_eq!((fault.error_type(), fault.is_shown()), (Some("Displayed"), false));
        assert!(judged(&Reply(Outcome::Error), None).fault.is_none());
    }
}
