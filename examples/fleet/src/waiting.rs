//! Waits for other processes, and stops at a signal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

const PAUSE: Duration = Duration::from_millis(100);

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Makes SIGINT and SIGTERM end the next wait, so that all started programs are stopped on the way out.
pub(crate) fn heed_signals() -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&STOP)).context("cannot heed signals")?;
    }
    Ok(())
}

/// Polls until there is a result, for at most two minutes.
///
/// # Errors
///
/// If a poll fails, the time is up, or a signal arrived. At a timeout, the error has the last poll's reason.
pub(crate) fn eventually<T>(
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Result<T, String>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        let seen = look().with_context(|| format!("waiting until {what}"))?;
        let why_not = match seen {
            Ok(seen) => return Ok(seen),
            Err(why_not) => why_not,
        };
        if start.elapsed() > PATIENCE {
            bail!("not within {PATIENCE:?}: {what}: {why_not}");
        }
        pause(PAUSE)?;
    }
}

/// Sleeps, unless a signal asked to stop.
pub(crate) fn pause(time: Duration) -> anyhow::Result<()> {
    if STOP.load(Ordering::Relaxed) {
        bail!("told to stop");
    }
    thread::sleep(time);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_what_is_seen_or_with_a_failing_look() {
        let mut looks = 0;
        let seen = eventually("three", || {
            looks += 1;
            Ok(if looks == 3 { Ok(looks) } else { Err("not yet".to_owned()) })
        });
        assert_eq!(seen.unwrap(), 3);
        let failed = eventually("it works", || -> anyhow::Result<Result<(), String>> { bail!("gone") });
        assert_eq!(format!("{:#}", failed.unwrap_err()), "waiting until it works: gone");
    }
}
