//! The traits that values in an attribute's arguments must implement. Each has its own compiler message with the rule.

use std::fmt::{Debug, Display};

use tracing::field::{DebugValue, DisplayValue, Value};

/// The value of an `id`.
#[diagnostic::on_unimplemented(
    message = "an id is `AsRef<str>`, which `{Self}` is not; convert it to text, as in `id = value.to_string()`",
    label = "not text"
)]
pub trait Id {
    /// Returns the id as text.
    fn text(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<str> + ?Sized> Id for T {
    #[inline]
    fn text(&self) -> &str {
        self.as_ref()
    }
}

/// The value of a field that is recorded without `%` or `?`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded as a field; record its `Display` with `name = %value`, or its `Debug` with `name = ?value`",
    label = "neither a number nor text"
)]
pub trait Field {
    /// Returns the value in the form that `tracing` records.
    fn as_value(&self) -> &dyn Value;
}

#[diagnostic::do_not_recommend]
impl<T: Value> Field for T {
    #[inline]
    fn as_value(&self) -> &dyn Value {
        self
    }
}

/// Returns the value of a field for recording.
#[inline]
pub fn value<T: Field>(value: &T) -> &dyn Value {
    value.as_value()
}

// The return types of these functions do not name `T`, so a missing trait causes one error at the value, and none at
// the result.

/// Returns the `Display` of a field's value.
#[inline]
pub fn display<T: Display>(value: &T) -> DisplayValue<&dyn Display> {
    tracing::field::display(value)
}

/// Returns the `Debug` of a field's value.
#[inline]
pub fn debug<T: Debug>(value: &T) -> DebugValue<&dyn Debug> {
    tracing::field::debug(value)
}
