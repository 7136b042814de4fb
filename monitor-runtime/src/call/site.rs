//! The one static of an annotated function: what it is called, its series, its span.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::field::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span};
use tracing_core::callsite::Identifier;
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::{Callsite, dispatcher};

use super::argument::Id;
use super::guard::Call;
use super::settings::Settings;
use super::span_descriptor::{self, SpanDescriptor};
use crate::families::CallKind;
use crate::families::call_series::CallSeries;
use crate::families::family::Found;

/// What the runtime knows of an annotated function.
///
/// The compiler evaluates one for each: so it consists of literals, and what takes code is made when it is first asked for.
pub struct Site {
    /// In what it differs from others of its kind.
    pub settings: Settings,
    /// Stands for the function where no expression gives another id.
    pub id: &'static str,
    /// The function's name.
    pub name: &'static str,
    /// The module it is in.
    pub module: &'static str,
    /// The file it is in.
    pub file: &'static str,
    /// The line it begins at.
    pub line: u32,
    /// What changes.
    pub state: State,
}

/// What is found out about an annotated function as it is called.
///
/// The compiler goes through all that these types consist of, for each annotated function: so what `tracing` knows is behind a
/// trait object, and no site refers to itself.
pub struct State {
    /// What `tracing` knows the site by, from the first time that its span is asked for.
    callsite: OnceLock<&'static dyn Callsite>,
    interest: AtomicU8,
    /// The series of the site's own id, once there is one; a literal id is looked up no more.
    series: OnceLock<&'static CallSeries>,
}

impl State {
    /// That of a function that has not been called.
    #[allow(clippy::declare_interior_mutable_const, reason = "each static is to have one of its own")]
    pub const NEW: Self =
        Self { callsite: OnceLock::new(), interest: AtomicU8::new(UNASKED), series: OnceLock::new() };
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("id", &self.id).field("settings", &self.settings).finish_non_exhaustive()
    }
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;
const UNASKED: u8 = 3;

impl Site {
    /// Prepares a call under the function's own id.
    #[inline]
    pub fn enter(&'static self, fields: impl FnOnce(PendingSpan<'_>) -> Span) -> Call {
        let series = match self.state.series.get() {
            Some(series) => series,
            None => self.resolve(),
        };
        self.prepare(series, self.id, fields)
    }

    /// As [`enter`](Self::enter), of a function without `fields(…)`. Most are, so that it is compiled once for all of them.
    pub fn enter_plain(&'static self) -> Call {
        let series = match self.state.series.get() {
            Some(series) => series,
            None => self.resolve(),
        };
        if self.is_enabled() {
            Call::prepared(
                &self.settings,
                series,
                Some(without_fields(PendingSpan { site: self, id: &self.id })),
            )
        } else {
            Call::prepared(&self.settings, series, None)
        }
    }

    /// Prepares a call under an id that an expression gave; the function's own stands for an empty one, since an empty label
    /// value is to Prometheus the same as no label.
    #[inline]
    pub fn enter_as(
        &'static self,
        id: &(impl Id + ?Sized),
        fields: impl FnOnce(PendingSpan<'_>) -> Span,
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
        fields: impl FnOnce(PendingSpan<'_>) -> Span,
    ) -> Call {
        // Made in one place in either case: a call that is moved costs more than one that is counted.
        if self.is_enabled() {
            Call::prepared(&self.settings, series, Some(fields(PendingSpan { site: self, id: &id })))
        } else {
            Call::prepared(&self.settings, series, None)
        }
    }

    /// Overflow is not kept: each call recorded there is to be counted as such.
    #[cold]
    fn resolve(&self) -> &'static CallSeries {
        match self.look_up(self.id) {
            Found::Own(series) => {
                let kept = self.state.series.get_or_init(|| series);
                if let Some(objective) = self.settings.objective {
                    kept.warn_if_objective_differs(objective);
                }
                kept
            }
            Found::Overflow(series) => series,
        }
    }

    fn find(&self, id: &str) -> &'static CallSeries {
        let (Found::Own(series) | Found::Overflow(series)) = self.look_up(id);
        series
    }

    #[inline]
    fn look_up(&self, id: &str) -> Found<CallSeries> {
        let series = &self.settings.kind.family().series;
        match self.settings.kind {
            CallKind::Agent | CallKind::Skill => series.find_with_objective(&[id], self.settings.objective),
            CallKind::Query => series.find(&[self.settings.operation, id]),
        }
    }

    /// Whether somebody listens to the span; one load when nobody does.
    #[inline]
    fn is_enabled(&'static self) -> bool {
        self.settings.level <= LevelFilter::current() && self.is_of_interest()
    }

    fn is_of_interest(&'static self) -> bool {
        match self.state.interest.load(Ordering::Relaxed) {
            NEVER => false,
            UNASKED => self.register(),
            _ => self.is_enabled_now(),
        }
    }

    /// Asks every subscriber, once; whoever comes meanwhile, from inside a subscriber even, asks the present one alone.
    #[cold]
    fn register(&'static self) -> bool {
        let first = self
            .state
            .interest
            .compare_exchange(UNASKED, SOMETIMES, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if first {
            tracing_core::callsite::register(self.callsite());
        }
        self.state.interest.load(Ordering::Relaxed) != NEVER && self.is_enabled_now()
    }

    fn is_enabled_now(&'static self) -> bool {
        self.state.interest.load(Ordering::Relaxed) == ALWAYS
            || dispatcher::get_default(|dispatch| dispatch.enabled(self.metadata()))
    }

    /// What `tracing` knows the site by. It keeps that for good, so that nothing is lost by leaking it.
    fn callsite(&'static self) -> &'static dyn Callsite {
        *self
            .state
            .callsite
            .get_or_init(|| Box::leak(Box::new(SiteCallsite { site: self, metadata: OnceLock::new() })))
    }

    fn metadata(&'static self) -> &'static Metadata<'static> {
        self.callsite().metadata()
    }
}

/// A site as `tracing` knows it.
struct SiteCallsite {
    site: &'static Site,
    metadata: OnceLock<Metadata<'static>>,
}

impl Callsite for SiteCallsite {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_always() {
            ALWAYS
        } else if interest.is_never() {
            NEVER
        } else {
            SOMETIMES
        };
        self.site.state.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        let site = self.site;
        self.metadata.get_or_init(|| {
            Metadata::new(
                site.name,
                site.module,
                site.settings.level,
                Some(site.file),
                Some(site.line),
                Some(site.module),
                FieldSet::new(site.settings.fields, Identifier(site.callsite())),
                Kind::SPAN,
            )
        })
    }
}

/// A span about to be opened, with its id already at hand.
#[derive(Clone, Copy, Debug)]
pub struct PendingSpan<'a> {
    site: &'static Site,
    id: &'a &'a str,
}

impl<'a> PendingSpan<'a> {
    /// The id, which is the first value of every span.
    pub fn id(&self) -> Option<&'a dyn Value> {
        Some(self.id)
    }

    /// Opens the span with one value a field, the id first.
    pub fn span(&self, values: &[Option<&dyn Value>]) -> Span {
        let _attached = span_descriptor::attach(|| self.descriptor());
        let metadata = self.site.metadata();
        Span::new(metadata, &metadata.fields().value_set_all(values))
    }
}

impl PendingSpan<'_> {
    fn descriptor(&self) -> SpanDescriptor {
        let &Settings { kind, operation, .. } = &self.site.settings;
        SpanDescriptor::Call { callsite: self.site.metadata().callsite(), kind, operation }
    }
}

/// Opens the span of a function without `fields(…)`.
pub fn without_fields(opening: PendingSpan<'_>) -> Span {
    opening.span(&[opening.id()])
}
