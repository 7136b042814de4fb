//! What the values in an attribute's arguments have to be, each a trait of its own, so that the compiler says the rule when
//! one is not.

use std::fmt::{Debug, Display};

use tracing::field::{DebugValue, DisplayValue, Value};

/// The value of an `id`.
#[diagnostic::on_unimplemented(
    message = "an id is `AsRef<str>`, which `{Self}` is not; convert it to text, as in `id = value.to_string()`",
    label = "not text"
)]
pub trait Id {
    /// The text.
    fn text(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<str> + ?Sized> Id for T {
    #[inline]
    fn text(&self) -> &str {
        self.as_ref()
    }
}

/// The value of a field that is recorded as it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded as a field; record its `Display` with `name = %value`, or its `Debug` with `name = ?value`",
    label = "neither a number nor text"
)]
pub trait Field {
    /// The value as `tracing` takes it.
    fn as_value(&self) -> &dyn Value;
}

#[diagnostic::do_not_recommend]
impl<T: Value> Field for T {
    #[inline]
    fn as_value(&self) -> &dyn Value {
        self
    }
}

/// The value of a field, to be recorded.
#[inline]
pub fn value<T: Field>(value: &T) -> &dyn Value {
    value.as_value()
}

// Each gives a type that does not name `T`: what it lacks is one error, at the value, and not another at the result.

/// The `Display` of a field's value.
#[inline]
pub fn display<T: Display>(value: &T) -> DisplayValue<&dyn Display> {
    tracing::field::display(value)
}

/// The `Debug` of a field's value.
#[inline]
pub fn debug<T: Debug>(value: &T) -> DebugValue<&dyn Debug> {
    tracing::field::debug(value)
}
