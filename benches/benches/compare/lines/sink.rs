//! The sink of all contenders: it discards the lines, except that a check before the timing can capture them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static IS_KEPT: AtomicBool = AtomicBool::new(false);
static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Debug)]
pub(super) struct Sink;

impl Write for Sink {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if IS_KEPT.load(Ordering::Relaxed) {
            KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes written while `log` runs.
pub(super) fn kept<R>(log: impl FnOnce() -> R) -> String {
    IS_KEPT.store(true, Ordering::Relaxed);
    log();
    IS_KEPT.store(false, Ordering::Relaxed);
    let mut bytes = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&std::mem::take(&mut *bytes)).into_owned()
}
