//! The one static of an annotated function: what it is called, its series, its span.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span};
use tracing_core::{Callsite, dispatcher};

use super::argument::Id;
use super::guard::Call;
use crate::registry::{CallKind, CallSeries, Found};

/// How an error that a call returned is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorLog {
    /// At `error`.
    Error,
    /// At `warn`.
    Warn,
    /// Not at all.
    Off,
}

/// What the runtime knows of an annotated function.
#[derive(Debug)]
pub struct Site {
    kind: CallKind,
    id: &'static str,
    operation: &'static str,
    error_log: ErrorLog,
    metadata: Metadata<'static>,
    interest: AtomicU8,
    /// The series of `id`, once there is one; a literal id is looked up no more.
    series: OnceLock<&'static CallSeries>,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;
const UNASKED: u8 = 3;

impl Site {
    /// Describes a function; `id` stands for it where no expression gives another.
    pub const fn new(
        kind: CallKind,
        id: &'static str,
        operation: &'static str,
        error_log: ErrorLog,
        metadata: Metadata<'static>,
    ) -> Self {
        Self {
            kind,
            id,
            operation,
            error_log,
            metadata,
            interest: AtomicU8::new(UNASKED),
            series: OnceLock::new(),
        }
    }

    /// Prepares a call under the function's own id.
    #[inline]
    pub fn enter(&'static self, fields: impl FnOnce(Opening<'_>) -> Span) -> Call {
        let series = match self.series.get() {
            Some(series) => series,
            None => self.resolve(),
        };
        self.prepare(series, self.id, fields)
    }

    /// Prepares a call under an id that an expression gave; the function's own stands for an empty one, since an empty label
    /// value is to Prometheus the same as no label.
    #[inline]
    pub fn enter_as(
        &'static self,
        id: &(impl Id + ?Sized),
        fields: impl FnOnce(Opening<'_>) -> Span,
    ) -> Call {
        let given = id.text();
        let id = if given.is_empty() { self.id } else { given };
        self.prepare(self.find(id), id, fields)
    }

    #[inline]
    fn prepare(
        &'static self,
        series: &'static CallSeries,
        id: &str,
        fields: impl FnOnce(Opening<'_>) -> Span,
    ) -> Call {
        // Made in one place in either case: a call that is moved costs more than one that is counted.
        if self.is_enabled() {
            Call::prepared(self, series, fields(Opening { site: self, id: &id }))
        } else {
            Call::prepared(self, series, Span::none())
        }
    }

    /// Overflow is not kept: each call recorded there is to be counted as such.
    #[cold]
    fn resolve(&self) -> &'static CallSeries {
        match self.look_up(self.id) {
            Found::Own(series) => self.series.get_or_init(|| series),
            Found::Overflow(series) => series,
        }
    }

    fn find(&self, id: &str) -> &'static CallSeries {
        let (Found::Own(series) | Found::Overflow(series)) = self.look_up(id);
        series
    }

    #[inline]
    fn look_up(&self, id: &str) -> Found<CallSeries> {
        let series = &self.kind.family().series;
        match self.kind {
            CallKind::Agent | CallKind::Skill => series.find(&[id]),
            CallKind::Query => series.find(&[self.operation, id]),
        }
    }

    /// Whether somebody listens to the span; one load when nobody does.
    #[inline]
    fn is_enabled(&'static self) -> bool {
        *self.metadata.level() <= LevelFilter::current() && self.is_of_interest()
    }

    fn is_of_interest(&'static self) -> bool {
        match self.interest.load(Ordering::Relaxed) {
            NEVER => false,
            UNASKED => self.register(),
            _ => self.is_enabled_now(),
        }
    }

    /// Asks every subscriber, once; whoever comes meanwhile, from inside a subscriber even, asks the present one alone.
    #[cold]
    fn register(&'static self) -> bool {
        let first =
            self.interest.compare_exchange(UNASKED, SOMETIMES, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            tracing_core::callsite::register(self);
        }
        self.interest.load(Ordering::Relaxed) != NEVER && self.is_enabled_now()
    }

    fn is_enabled_now(&'static self) -> bool {
        self.interest.load(Ordering::Relaxed) == ALWAYS
            || dispatcher::get_default(|dispatch| dispatch.enabled(&self.metadata))
    }

    pub(super) fn error_log(&self) -> ErrorLog {
        self.error_log
    }

    pub(super) fn kind(&self) -> CallKind {
        self.kind
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            CallKind::Agent => "agent",
            CallKind::Skill => "skill",
            CallKind::Query => "query",
        }
    }
}

impl Callsite for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_always() {
            ALWAYS
        } else if interest.is_never() {
            NEVER
        } else {
            SOMETIMES
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        &self.metadata
    }
}

/// A span about to be opened, with its id already at hand.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    site: &'static Site,
    id: &'a &'a str,
}

impl<'a> Opening<'a> {
    /// The id, which is the first value of every span.
    pub fn id(&self) -> Option<&'a dyn Value> {
        Some(self.id)
    }

    /// Opens the span with one value a field, the id first.
    pub fn span(&self, values: &[Option<&dyn Value>]) -> Span {
        Span::new(&self.site.metadata, &self.site.metadata.fields().value_set_all(values))
    }
}

/// Opens the span of a function without `fields(…)`.
pub fn without_fields(opening: Opening<'_>) -> Span {
    opening.span(&[opening.id()])
}
