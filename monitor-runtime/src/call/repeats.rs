//! The arguments that the option `repeats(…)` compares between the calls of a run.

use std::hash::{BuildHasher as _, DefaultHasher, Hash, Hasher as _, RandomState};
use std::num::NonZeroU64;
use std::sync::LazyLock;

use super::guard::Call;
use super::observer;

/// An argument that `repeats(…)` compares.
#[diagnostic::on_unimplemented(
    message = "`repeats` compares arguments by their `Hash`, which `{Self}` has not; leave it out, or write an expression that has one, as in `temperature.to_bits()`",
    label = "has no `Hash`"
)]
pub trait Repeatable {
    /// Adds the argument to the hash.
    fn add_to(&self, hasher: &mut Repeater);
}

#[diagnostic::do_not_recommend]
impl<T: Hash + ?Sized> Repeatable for T {
    #[inline]
    fn add_to(&self, hasher: &mut Repeater) {
        self.hash(&mut hasher.0);
    }
}

/// The hash of the arguments of one call. Its keys are random, so that it tells nothing outside of this process.
#[derive(Debug)]
pub struct Repeater(DefaultHasher);

impl Repeater {
    /// Returns the hash with an argument added.
    #[inline]
    pub fn with<T: Repeatable + ?Sized>(mut self, argument: &T) -> Self {
        argument.add_to(&mut self);
        self
    }
}

/// Gives a prepared call the hash of its arguments. `hash` is not called if nobody listens to calls.
#[inline]
pub fn repeats(mut call: Call, hash: impl FnOnce(Repeater) -> Repeater) -> Call {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    if observer::is_observed() {
        let hash = hash(Repeater(KEYS.build_hasher())).0.finish();
        call.set_arguments(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MAX));
    }
    call
}
