//! Atomics, locks and thread-locals of the cells: from the standard library, or from loom under `cfg(loom)`.
//!
//! `tests/interleavings` sets that flag and runs the cells through the interleavings of a few threads. Loom's types
//! cannot be constructed in a constant, so macros declare the statics.

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

    /// Declares a static that is constructed anew for each interleaving.
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

    /// Always 1: two threads lease a stripe each, and further threads share one. More would make the models too large.
    pub(crate) fn available_parallelism() -> usize {
        1
    }

    /// The methods that `std` offers on a thread-local `Cell`.
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
            // Loom removes values at the end of a thread even if they have no destructor. Nothing reads them
            // afterwards.
            let _ = self.try_with(|cell| cell.set(value));
        }
    }
}
