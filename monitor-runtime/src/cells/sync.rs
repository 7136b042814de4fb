//! Atomics, locks and thread-locals of the cells: the standard library's, or loom's where `cfg(loom)` is set.
//!
//! `tests/interleavings` sets it and runs the cells through the interleavings of a few threads. Loom's types cannot be made
//! in a constant, hence the macros for statics.

#[cfg(loom)]
pub(crate) use self::on_loom::{CellKey, available_parallelism, local_static, shared_static};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, atomic};

#[cfg(not(loom))]
pub(crate) use self::on_std::{available_parallelism, local_static, shared_static};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, atomic};

#[cfg(not(loom))]
mod on_std {
    /// Declares a static that threads share.
    macro_rules! shared_static {
        ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
            $(#[$attribute])*
            static $name: $type = $value;
        };
    }
    pub(crate) use shared_static;

    /// Declares thread-locals.
    macro_rules! local_static {
        ($($body:tt)*) => {
            std::thread_local! { $($body)* }
        };
    }
    pub(crate) use local_static;

    /// The number of hardware threads, 1 if it is unknown.
    pub(crate) fn available_parallelism() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

#[cfg(loom)]
mod on_loom {
    use std::cell::Cell;

    /// Declares a static that each interleaving makes anew.
    macro_rules! shared_static {
        ($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;) => {
            loom::lazy_static! { static ref $name: $type = $value; }
        };
    }
    pub(crate) use shared_static;

    /// Declares thread-locals. Loom's own macro cannot parse `const`.
    macro_rules! local_static {
        ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $value:expr };)*) => {
            loom::thread_local! { $(static $name: $type = $value;)* }
        };
    }
    pub(crate) use local_static;

    /// One: two threads lease a stripe each, and further ones share one.
    pub(crate) fn available_parallelism() -> usize {
        1
    }

    /// The methods that a thread-local `Cell` has in the standard library.
    pub(crate) trait CellKey<T> {
        fn get(&'static self) -> T
        where
            T: Copy;
        fn set(&'static self, value: T);
    }

    impl<T> CellKey<T> for loom::thread::LocalKey<Cell<T>> {
        fn get(&'static self) -> T
        where
            T: Copy,
        {
            self.with(Cell::get)
        }

        fn set(&'static self, value: T) {
            // At a thread's end loom also removes values without a destructor. Nothing reads them afterwards.
            let _ = self.try_with(|cell| cell.set(value));
        }
    }
}
