//! The parts that few calls have: the contents of their arguments, and the names of a model that the series have no room for.
//!
//! They are here, and not in the call itself, since they would make every tracked future larger and every call dearer.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::call_id::CallId;
use super::content::Contents;

/// The provider and the model of a call, as the call gave them.
pub(crate) type ModelNames = [Box<str>; 2];

/// The extras of a call that has not begun.
#[derive(Debug, Default)]
pub(super) struct Extras {
    pub(super) contents: Option<Contents>,
    pub(super) names: Option<ModelNames>,
}

/// The number of the extras of a call that has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prepared(NonZeroU64);

static PREPARED: Mutex<BTreeMap<u64, Extras>> = Mutex::new(BTreeMap::new());

/// The names of the models that running calls are of.
static NAMES: Mutex<BTreeMap<CallId, ModelNames>> = Mutex::new(BTreeMap::new());

impl Prepared {
    pub(super) fn put(extras: Extras) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MAX);
        locked(&PREPARED).insert(number.get(), extras);
        Self(number)
    }

    /// The extras of a call that holds this number, if it is one.
    pub(super) fn of(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    pub(super) fn number(self) -> u64 {
        self.0.get()
    }

    pub(super) fn take(self) -> Extras {
        locked(&PREPARED).remove(&self.number()).unwrap_or_default()
    }
}

/// Keeps the names of the model of a call that begins. The id is that of no other call.
pub(super) fn keep_names(call: CallId, names: ModelNames) {
    locked(&NAMES).insert(call, names);
}

/// The names of the model of a call that ends, if its series has no room for them.
pub(super) fn take_names(call: CallId) -> Option<ModelNames> {
    locked(&NAMES).remove(&call)
}

fn locked<K, V>(map: &'static Mutex<BTreeMap<K, V>>) -> MutexGuard<'static, BTreeMap<K, V>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_wait_until_they_are_taken_once() {
        let contents = Contents::default().debug("query", 64, "tea?").display("page", 64, &7);
        let waiting = Prepared::put(Extras { contents: Some(contents), names: None });
        assert_eq!(Prepared::of(waiting.number()), Some(waiting));
        let contents = waiting.take().contents.unwrap();
        let texts: Vec<_> = contents.iter().map(|content| &*content.text).collect();
        assert_eq!(texts, ["\"tea?\"", "7"]);
        assert!(waiting.take().contents.is_none() && Prepared::of(0).is_none());
    }

    #[test]
    fn names_are_taken_once() {
        let call = CallId::began_at(7, 0).made_unique();
        keep_names(call, ["openai".into(), "gpt".into()]);
        assert_eq!(take_names(call), Some(["openai".into(), "gpt".into()]));
        assert_eq!(take_names(call), None);
    }
}
