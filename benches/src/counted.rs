//! Repeats a path for a tool that counts its instructions.

/// Defines `repeat(times, path)` and `ready(future)` in the module of the paths.
///
/// In a module of their own they would be compiled apart from the paths, and the compiler would not see that a result is
/// dropped or a future needs no move: that alone is 11 of the instructions of a call, and 50 of an asynchronous one.
#[macro_export]
macro_rules! define_counting {
    () => {
        /// Runs the path a hundred times to warm up, and then the counted number of times.
        fn repeat(times: u32, mut path: impl FnMut()) {
            (0..100).for_each(|_| path());
            measured_path(times, path);
        }

        /// Start and end of the counting: callgrind finds it by its name.
        #[inline(never)]
        fn measured_path(times: u32, mut path: impl FnMut()) {
            for _ in 0..times {
                path();
            }
        }

        /// Runs a future that never waits.
        fn ready<T>(future: impl Future<Output = T>) -> T {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match std::pin::pin!(future).poll(&mut context) {
                std::task::Poll::Ready(value) => value,
                std::task::Poll::Pending => unreachable!("nothing in it waits"),
            }
        }
    };
}
