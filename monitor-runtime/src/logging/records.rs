//! The records of the `log` crate, with their key-values, on their way into lines.
//!
//! A record becomes an event of `tracing`, as `tracing-log` makes one, so that the subscriber at hand gets it, whosever that is.
//! Its key-values come with the message, see [`key_values`].

use std::fmt::{self, Display};

use log::{Log, Record};
use tracing::dispatcher;
use tracing::level_filters::LevelFilter;
use tracing_log::{AsLog as _, AsTrace as _};

use super::copies;
use super::output::guard;
use super::record::key_values;
use super::record::line::is_muted;

/// Installs the process's logger, for records down to `most`. Returns `false` if there is one already.
pub(super) fn install(most: LevelFilter) -> bool {
    let is_installed = log::set_logger(&Records).is_ok();
    if is_installed {
        log::set_max_level(most.as_log());
    }
    is_installed
}

/// Takes the records of the process.
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

    /// As [`LogGuard::flush`](super::LogGuard::flush) does, within the same time.
    fn flush(&self) {
        // The writer would wait for itself.
        if !is_muted() {
            guard::flush_all();
        }
    }
}

/// A record's message, which leaves its key-values on the way.
struct Message<'r, 'a>(&'r Record<'a>);

impl Display for Message<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        key_values::hand_over(self.0.key_values());
        self.0.args().fmt(f)
    }
}
