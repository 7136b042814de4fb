//! How the result of a call is judged.

use crate::families::Outcome;

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
