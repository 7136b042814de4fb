//! Contents of calls: the arguments and the result that the option `record(…)` names.

use std::fmt::{Debug, Display};

use super::bounded::bounded;

/// A value that `record(…)` keeps by its `Debug`.
#[diagnostic::on_unimplemented(
    message = "`record` keeps the `Debug` text of a value, which `{Self}` has not; derive `Debug`, or write `%` before the name to keep its `Display` text",
    label = "has no `Debug`"
)]
pub trait Recordable {
    /// Formats the value, cut to at most this many bytes.
    fn formatted(&self, most: usize) -> Box<str>;
}

#[diagnostic::do_not_recommend]
impl<T: Debug + ?Sized> Recordable for T {
    fn formatted(&self, most: usize) -> Box<str> {
        bounded(format_args!("{self:?}"), most)
    }
}

/// The text of a value that a call works with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "runs"), allow(dead_code, reason = "only a recorder of runs reads contents"))]
pub(crate) struct Content {
    /// The name of the argument, or `result`.
    pub(crate) name: &'static str,
    pub(crate) text: Box<str>,
}

/// The contents of a call's arguments. They are formatted when the call is prepared, since its body consumes the arguments.
#[derive(Debug, Default)]
pub struct Contents(Vec<Content>);

impl Contents {
    /// Adds the `Debug` text of an argument, cut to this many bytes.
    #[must_use]
    pub fn debug<T: Recordable + ?Sized>(mut self, name: &'static str, most: usize, value: &T) -> Self {
        self.0.push(Content { name, text: value.formatted(most) });
        self
    }

    /// Adds the `Display` text of an argument, cut to this many bytes.
    #[must_use]
    pub fn display<T: Display + ?Sized>(mut self, name: &'static str, most: usize, value: &T) -> Self {
        self.0.push(Content { name, text: bounded(value, most) });
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Content> {
        self.0.iter()
    }
}
