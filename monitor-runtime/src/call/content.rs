//! Contents of calls: the arguments and the result that the option `record(…)` names.
//!
//! Arguments are formatted when the call is prepared, since its body consumes them. They wait here until the call begins
//! and has an id, or is dropped.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// The contents of one call that has not begun.
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

/// The contents of calls that have not begun, by a number that such a call holds. A reference in the call itself would make
/// every tracked future larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending(NonZeroU64);

static PENDING: Mutex<BTreeMap<u64, Contents>> = Mutex::new(BTreeMap::new());

impl Pending {
    pub(super) fn put(contents: Contents) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MAX);
        pending().insert(number.get(), contents);
        Self(number)
    }

    /// The pending contents of a call that holds this number, if it is one.
    pub(super) fn of(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    pub(super) fn number(self) -> u64 {
        self.0.get()
    }

    pub(super) fn take(self) -> Option<Contents> {
        pending().remove(&self.number())
    }
}

fn pending() -> MutexGuard<'static, BTreeMap<u64, Contents>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_wait_until_they_are_taken_once() {
        let contents = Contents::default().debug("query", 64, "tea?").display("page", 64, &7);
        let waiting = Pending::put(contents);
        assert_eq!(Pending::of(waiting.number()), Some(waiting));
        let texts: Vec<_> = waiting.take().unwrap().0.into_iter().map(|content| content.text).collect();
        assert_eq!(texts, ["\"tea?\"".into(), "7".into()] as [Box<str>; 2]);
        assert!(waiting.take().is_none() && Pending::of(0).is_none());
    }
}
