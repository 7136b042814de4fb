//! Renders events to lines and passes them to a sink.

use std::fmt::Debug;

use prometheus::IntCounter;
use tracing::Event;

use crate::families::process::{self, LEVELS};
use crate::logging::record::fields::Fields;
use crate::logging::record::level::rank;
use crate::logging::record::line::{LineFormat, Muted, with_line};
use crate::logging::record::redaction::ValueRules;

/// The destination of finished lines.
pub(crate) trait LineSink: Debug + Send + Sync + 'static {
    /// Accepts one line, in two parts.
    fn push(&self, line: [&[u8]; 2]);

    /// Whether an event becomes a line.
    fn admits(&self, _event: &Event<'_>) -> bool {
        true
    }

    /// Counts an event whose line is lost.
    fn refuse(&self) {}

    /// Whether the recorder of runs keeps the lines of this sink.
    #[cfg(feature = "runs")]
    fn is_kept(&self) -> bool {
        false
    }
}

/// Renders events to lines, counts them, and passes them on.
#[derive(Debug)]
pub(crate) struct Lines<K> {
    sink: K,
    format: LineFormat,
    rules: Option<ValueRules>,
    /// `log_events_total`, by [`rank`].
    events: [IntCounter; 5],
}

impl<K: LineSink> Lines<K> {
    pub(crate) fn new(sink: K, format: LineFormat, rules: Option<ValueRules>) -> Self {
        let events = LEVELS.map(|level| process::metrics().log_events.with_label_values(&[level]));
        Self { sink, format, rules, events }
    }

    /// Writes the line of an event; `copy_bound` copies the bound fields.
    pub(crate) fn write(&self, event: &Event<'_>, copy_bound: impl FnOnce(&mut Fields)) {
        with_line(|line| {
            if let Some(muted) = line.muted() {
                return self.refuse_muted(event, muted);
            }
            if !self.sink.admits(event) {
                return;
            }
            #[cfg(feature = "runs")]
            line.keep_if(self.sink.is_kept());
            let rendered = line.render(self.format, self.rules.as_ref(), event, copy_bound);
            // Counted only now, when rendering can no longer panic: emitted lines equal written plus dropped ones.
            self.events[rank(*event.metadata().level())].inc();
            self.sink.push(rendered);
        });
    }

    #[cold]
    fn refuse_muted(&self, event: &Event<'_>, muted: Muted) {
        if muted == Muted::TooDeep {
            self.events[rank(*event.metadata().level())].inc();
            self.sink.refuse();
        }
    }
}
