//! The clock of every duration: the time-stamp counter where the machine has a steady one, else the
//! monotonic clock of the operating system (`quanta` decides).

use std::sync::LazyLock;

static CLOCK: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

/// The present moment in the clock's own ticks.
#[inline]
pub(crate) fn now() -> u64 {
    CLOCK.raw()
}

/// Nanoseconds since `start`, a moment that [`now`] returned; 0 should a counter ever step back.
#[inline]
pub(crate) fn nanos_since(start: u64) -> u64 {
    CLOCK.delta_as_nanos(start, CLOCK.raw())
}
