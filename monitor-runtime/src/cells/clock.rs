//! The clock of every duration: the time-stamp counter if the machine has a steady one, else the monotonic clock of the
//! operating system. `quanta` decides.

use std::sync::OnceLock;

static CLOCK: OnceLock<quanta::Clock> = OnceLock::new();

/// The clock that all durations of the process share; the first call calibrates it.
#[inline]
pub(crate) fn clock() -> &'static quanta::Clock {
    match CLOCK.get() {
        Some(clock) => clock,
        None => calibrate(),
    }
}

#[cold]
fn calibrate() -> &'static quanta::Clock {
    CLOCK.get_or_init(quanta::Clock::new)
}

/// Reads the clock in its own ticks.
#[inline]
pub(crate) fn now() -> u64 {
    clock().raw()
}

/// Nanoseconds since `start`, a value of [`now`]; 0 if the counter has stepped back.
#[inline]
pub(crate) fn nanos_since(start: u64) -> u64 {
    let clock = clock();
    clock.delta_as_nanos(start, clock.raw())
}
