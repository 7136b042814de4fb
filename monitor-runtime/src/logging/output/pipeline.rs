//! One output, from producers to its writer thread: rate limit, queue, and the lines that report on both.

use std::sync::Arc;
use std::time::Instant;

use prometheus::IntCounter;
use tracing::{Event, Level};

use super::queue::Queue;
use super::rate_limit::{Callsite, Decision, RateLimit};
use super::sink::LineSink;
use crate::families::process::{self, LEVELS};
use crate::json;
use crate::logging::record::fields::Key;
use crate::logging::record::level::rank;
use crate::logging::record::line::{Line, LineFormat};
use crate::logging::record::redaction::ValueRules;
use crate::logging::record::values::write_integer;

/// The part of an output that producers, the writer and the guard share.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) queue: Queue,
    format: LineFormat,
    rate_limit: Option<RateLimit>,
    /// `log_events_total` at the level of these reports.
    reports: IntCounter,
}

impl Pipeline {
    pub(crate) fn new(queue: Queue, format: LineFormat, rate_limit: Option<RateLimit>) -> Self {
        let reports = process::metrics().log_events.with_label_values(&[LEVELS[rank(Level::WARN)]]);
        Self { queue, format, rate_limit, reports }
    }

    /// Queues a report on each callsite whose period is over, or on all callsites if `now` is `None`, and schedules the
    /// writer for the next one. Never waits for room.
    pub(crate) fn report_suppressed(&self, line: &mut Line, now: Option<Instant>) {
        let Some(rate_limit) = &self.rate_limit else { return };
        let (reports, next) = rate_limit.due(now);
        for (callsite, suppressed) in reports {
            self.reports.inc();
            self.queue.offer(line.render_own(self.format, Level::WARN, "log lines suppressed", |fields| {
                fields.add(Key::new("suppressed"), |out| write_integer(out, suppressed));
                write_callsite(&callsite, |name, text| {
                    fields.add(Key::new(name), |out| json::write_str(out, text));
                });
            }));
        }
        if let Some(next) = next {
            self.queue.remind(next);
        }
    }

    /// Renders the report on dropped lines, which the writer appends to its batch.
    pub(crate) fn report<'l>(&self, line: &'l mut Line, dropped: u64) -> [&'l [u8]; 2] {
        line.render_own(self.format, Level::WARN, "log lines dropped", |fields| {
            fields.add(Key::new("dropped"), |out| write_integer(out, dropped));
        })
    }

    /// Counts that report as emitted and written.
    pub(crate) fn count_report(&self) {
        self.reports.inc();
        self.queue.count_written();
    }

    #[cold]
    fn decide(&self, rate_limit: &RateLimit, event: &Event<'_>) -> bool {
        let decision = rate_limit.decide(event, Instant::now());
        if let Decision::SuppressFirst(end) = decision {
            self.queue.remind(end);
        }
        decision == Decision::Pass
    }
}

fn write_callsite(callsite: &Callsite, mut write: impl FnMut(&str, &str)) {
    if let Some(at) = &callsite.at {
        write("callsite", at);
    }
    write("callsite.logger", &callsite.logger);
    write("callsite.level", LEVELS[rank(callsite.level)]);
}

/// The layer's side of a pipeline. The writer ends after it is dropped.
#[derive(Debug)]
pub(crate) struct Producer {
    pipeline: Arc<Pipeline>,
    #[cfg(feature = "runs")]
    number: u64,
}

impl Producer {
    /// `rules` are those of the output.
    #[cfg_attr(not(feature = "runs"), expect(unused_variables, reason = "for the recorder of runs"))]
    pub(crate) fn new(pipeline: Arc<Pipeline>, rules: Option<&ValueRules>) -> Self {
        Self {
            pipeline,
            #[cfg(feature = "runs")]
            number: kept::begin(rules.cloned()),
        }
    }
}

impl LineSink for Producer {
    #[inline]
    fn push(&self, line: [&[u8]; 2]) {
        self.pipeline.queue.push(line);
    }

    #[inline]
    fn admits(&self, event: &Event<'_>) -> bool {
        self.pipeline.rate_limit.as_ref().is_none_or(|rate_limit| self.pipeline.decide(rate_limit, event))
    }

    fn refuse(&self) {
        self.pipeline.queue.refuse();
    }

    #[cfg(feature = "runs")]
    #[inline]
    fn is_kept(&self) -> bool {
        crate::run::keeps_lines() && kept::is_of(self.number)
    }
}

/// The output whose lines the recorder of runs keeps: the first one, so that no line is kept twice. Its rules also apply to the
/// texts of errors and contents. Once it ends, the next one takes its place; after the last, its rules stay.
#[cfg(feature = "runs")]
mod kept {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use crate::logging::record::redaction::ValueRules;
    use crate::run::{self, TextRule};

    /// An output: its number and its rules.
    type Output = (u64, Option<TextRule>);

    /// The outputs in the order of their begin.
    static OUTPUTS: Mutex<Vec<Output>> = Mutex::new(Vec::new());
    static NEXT: AtomicU64 = AtomicU64::new(1);
    /// The number of the first output; 0 if there is none.
    static FIRST: AtomicU64 = AtomicU64::new(0);

    /// A number for an output that begins.
    pub(super) fn begin(rules: Option<ValueRules>) -> u64 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let rule =
            rules.map(|rules| -> TextRule { Arc::new(move |name, text| rules.replaced_text(name, text)) });
        let mut outputs = lock();
        outputs.push((number, rule));
        prefer_first(&outputs);
        number
    }

    /// Whether it is the output of this number.
    #[inline]
    pub(super) fn is_of(number: u64) -> bool {
        FIRST.load(Ordering::Relaxed) == number
    }

    pub(super) fn end(number: u64) {
        let mut outputs = lock();
        outputs.retain(|(other, _)| *other != number);
        prefer_first(&outputs);
    }

    fn prefer_first(outputs: &[Output]) {
        let first = outputs.first();
        let number = first.map_or(0, |(number, _)| *number);
        if FIRST.swap(number, Ordering::Relaxed) == number {
            return;
        }
        if let Some((_, rule)) = first {
            run::set_text_rule(rule.clone());
        }
    }

    fn lock() -> MutexGuard<'static, Vec<Output>> {
        OUTPUTS.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        #[cfg(feature = "runs")]
        kept::end(self.number);
        self.pipeline.report_suppressed(&mut Line::default(), None);
        self.pipeline.queue.close();
    }
}
