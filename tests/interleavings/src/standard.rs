//! What the cells take from the standard library, as loom has it.

pub(crate) use std::cell;

/// The methods that a thread-local `Cell` has in the standard library.
pub(crate) trait CellKey<T> {
    fn get(&'static self) -> T
    where
        T: Copy;
    fn set(&'static self, value: T);
}

impl<T> CellKey<T> for loom::thread::LocalKey<cell::Cell<T>> {
    fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(cell::Cell::get)
    }

    fn set(&'static self, value: T) {
        // At a thread's end loom takes away what has nothing to drop as well; nobody asks for it any more.
        let _ = self.try_with(|cell| cell.set(value));
    }
}

pub(crate) mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::{Mutex, atomic};
    /// Named by `use`; the statics of this type are loom's.
    pub(crate) use std::sync::LazyLock;
}

pub(crate) mod thread {
    /// Two threads lease a stripe each; further ones share one.
    pub(crate) fn available_parallelism() -> Option<usize> {
        Some(1)
    }
}
