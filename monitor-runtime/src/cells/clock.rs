//! The clock of every duration: the time-stamp counter where the machine has a steady one, else the
//! monotonic clock of the operating system (`quanta` decides).

use std::sync::OnceLock;

static CLOCK: OnceLock<quanta::Clock> = OnceLock::new();

/// The one clock of this process.
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

/// The present moment in the clock's own ticks.
#[inline]
pub(crate) fn now() -> u64 {
    clock().raw()
}

/// Nanoseconds since `start`, a moment that [`now`] returned; 0 should a counter ever step back.
#[inline]
pub(crate) fn nanos_since(start: u64) -> u64 {
    let clock = clock();
    clock.delta_as_nanos(start, clock.raw())
}
