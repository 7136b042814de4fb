//! Converts records of the `log` crate, with their key-values, to lines.
//!
//! A record becomes a `tracing` event, as with `tracing-log`, so that it reaches the current subscriber, whichever that
//! is. Its key-values are passed along with the message; see [`key_values`].

use std::fmt::{self, Display};

use log::{Log, Record};
use tracing::dispatcher;
use tracing::level_filters::LevelFilter;
use tracing_log::{AsLog as _, AsTrace as _};

use super::copies;
use super::output::guard;
use super::record::key_values;
use super::record::line::is_muted;

/// Installs the process's logger, for records up to the level `most`. Returns `false` if there is one already.
pub(super) fn install(most: LevelFilter) -> bool {
    let is_installed = log::set_logger(&Records).is_ok();
    if is_installed {
        log::set_max_level(most.as_log());
    }
    is_installed
}

/// The logger of the `log` crate.
struct Records;

impl Log for Records {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level().as_trace() <= LevelFilter::current()
            && dispatcher::get_default(|dispatch| dispatch.enabled(&metadata.as_trace()))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || copies::is_copy(record) {
            return;
        }
        let _own = copies::OwnRecord::begin();
        let message = Message(record);
        let _ = tracing_log::format_trace(&record.to_builder().args(format_args!("{message}")).build());
    }

    /// Flushes like [`LogGuard::flush`](super::LogGuard::flush), with the same timeout.
    fn flush(&self) {
        // The writer thread cannot wait for itself.
        if !is_muted() {
            guard::flush_all();
        }
    }
}

/// The message of a record. Formatting it also passes on the key-values.
struct Message<'r, 'a>(&'r Record<'a>);

impl Display for Message<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        key_values::hand_over(self.0.key_values());
        self.0.args().fmt(f)
    }
}
