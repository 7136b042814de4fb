//! The static of an annotated function: its name, its settings, its series and its span.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::Value;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span};
use tracing_core::callsite::Identifier;
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::{Callsite, dispatcher};

use super::argument::Id;
use super::extras::ModelNames;
use super::guard::Call;
use super::model_usage::{find_model, find_named, or_unknown};
use super::settings::Settings;
use super::span_descriptor::{self, SpanDescriptor};
use crate::cells::labels::OVERFLOW;
use crate::families::CallKind;
use crate::families::call_series::CallSeries;
use crate::families::family::Found;

/// Everything that the runtime knows about an annotated function.
///
/// The compiler evaluates one for each function. It therefore consists of literals, and everything that needs code is
/// made when it is first used.
pub struct Site {
    /// The settings in which the function differs from others of its kind.
    pub settings: Settings,
    /// The id, unless an expression gives another one.
    pub id: &'static str,
    /// The name of the function.
    pub name: &'static str,
    /// The module of the function.
    pub module: &'static str,
    /// The file of the function.
    pub file: &'static str,
    /// The first line of the function.
    pub line: u32,
    /// The mutable part.
    pub state: State,
}

/// The mutable state of an annotated function.
///
/// The compiler visits all component types of this for each annotated function. Therefore the part for `tracing` is
/// behind a trait object, and no site refers to itself.
pub struct State {
    /// The callsite for `tracing`, once the span is first used.
    callsite: OnceLock<&'static dyn Callsite>,
    interest: AtomicU8,
    /// The series of the site's own id, once it exists, so that a literal id is looked up only once.
    series: OnceLock<&'static CallSeries>,
}

impl State {
    /// The state of a function that has not been called.
    #[allow(clippy::declare_interior_mutable_const, reason = "each static gets its own copy")]
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
    /// Prepares a call with the function's own id.
    #[inline]
    pub fn enter(&'static self, fields: impl FnOnce(PendingSpan<'_>) -> Span) -> Call {
        let series = match self.state.series.get() {
            Some(series) => series,
            None => self.resolve(),
        };
        self.prepare(series, self.id, self.settings.provider, fields)
    }

    /// Prepares a call of a model whose provider or model comes from an expression, or whose span has fields.
    #[inline]
    pub fn enter_of(
        &'static self,
        provider: &(impl Id + ?Sized),
        id: &(impl Id + ?Sized),
        fields: impl FnOnce(PendingSpan<'_>) -> Span,
    ) -> Call {
        let (call, names) = self.enter_with_names(provider.text(), id.text(), fields);
        match names {
            Some(names) => call.named(names),
            None => call,
        }
    }

    /// Like [`enter_of`](Self::enter_of), with the names if the series has no room for them.
    #[inline]
    pub(super) fn enter_with_names(
        &'static self,
        provider: &str,
        given: &str,
        fields: impl FnOnce(PendingSpan<'_>) -> Span,
    ) -> (Call, Option<ModelNames>) {
        let (series, names) = find_named(provider, given);
        let id = if given.is_empty() { self.id } else { given };
        (self.prepare(series, id, provider, fields), names)
    }

    /// Like [`enter`](Self::enter), for functions without `fields(…)`. Most functions have none, so this is compiled
    /// once for all of them.
    pub fn enter_plain(&'static self) -> Call {
        let Some(series) = self.state.series.get() else { return self.enter_unresolved() };
        if self.may_be_enabled() {
            self.enter_listened(series)
        } else {
            Call::prepared(&self.settings, series, None)
        }
    }

    // Separate, so that a call without a listener need not save registers for it.
    #[inline(never)]
    fn enter_listened(&'static self, series: &'static CallSeries) -> Call {
        self.prepare(series, self.id, self.settings.provider, without_fields)
    }

    /// Like [`enter_plain`](Self::enter_plain), while no series is kept.
    #[cold]
    fn enter_unresolved(&'static self) -> Call {
        let (series, provider) = (self.resolve(), self.settings.provider);
        let call = self.prepare(series, self.id, provider, without_fields);
        let is_named = self.settings.kind == CallKind::Model && series.id() == OVERFLOW;
        if is_named { call.named([provider, self.id].map(Box::from)) } else { call }
    }

    /// Prepares a call with an id from an expression. The function's own id replaces an empty one, since Prometheus
    /// treats an empty label as a missing one.
    #[inline]
    pub fn enter_as(
        &'static self,
        id: &(impl Id + ?Sized),
        fields: impl FnOnce(PendingSpan<'_>) -> Span,
    ) -> Call {
        let given = id.text();
        let id = if given.is_empty() { self.id } else { given };
        self.prepare(self.find(id), id, self.settings.provider, fields)
    }

    #[inline]
    fn prepare(
        &'static self,
        series: &'static CallSeries,
        id: &str,
        provider: &str,
        fields: impl FnOnce(PendingSpan<'_>) -> Span,
    ) -> Call {
        // Each branch builds the call in place, since moving a call costs more than counting it.
        if self.is_enabled() {
            Call::prepared(
                &self.settings,
                series,
                Some(fields(PendingSpan { site: self, series, id: &id, provider })),
            )
        } else {
            Call::prepared(&self.settings, series, None)
        }
    }

    /// Finds the series of the site's own id and keeps it. The overflow series is not kept, so that each use of it is
    /// counted.
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
            CallKind::Model => find_model(self.settings.provider, id),
        }
    }

    /// Whether the span may have a listener; one load if it has none.
    #[inline]
    fn may_be_enabled(&self) -> bool {
        self.settings.level <= LevelFilter::current() && self.state.interest.load(Ordering::Relaxed) != NEVER
    }

    /// Whether the span has a listener.
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

    /// Registers the callsite, which asks every subscriber once. Other callers in the meantime, even from inside a
    /// subscriber, ask the current subscriber only.
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

    /// The callsite for `tracing`, which keeps it permanently, so leaking it loses nothing.
    fn callsite(&'static self) -> &'static dyn Callsite {
        *self.state.callsite.get_or_init(|| {
            let callsite: &'static dyn Callsite =
                Box::leak(Box::new(SiteCallsite { site: self, metadata: OnceLock::new() }));
            if self.settings.kind == CallKind::Agent {
                locked(&AGENTS).push(Identifier(callsite));
            }
            // Only these could be taken for the span of another crate.
            if self.settings.fields.iter().any(|name| name.starts_with("gen_ai.")) {
                locked(&WITH_GEN_AI_FIELDS).push(Identifier(callsite));
            }
            callsite
        })
    }

    fn metadata(&'static self) -> &'static Metadata<'static> {
        self.callsite().metadata()
    }
}

/// The callsites of tracked agents. A subscriber has no other means to recognize the spans of agents.
static AGENTS: Mutex<Vec<Identifier>> = Mutex::new(Vec::new());

/// The callsites of tracked functions with fields of the conventions for generative AI.
static WITH_GEN_AI_FIELDS: Mutex<Vec<Identifier>> = Mutex::new(Vec::new());

fn locked(callsites: &'static Mutex<Vec<Identifier>>) -> MutexGuard<'static, Vec<Identifier>> {
    callsites.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a callsite belongs to a tracked agent.
pub(crate) fn is_agent(callsite: &Identifier) -> bool {
    locked(&AGENTS).contains(callsite)
}

/// Whether a callsite with fields `gen_ai.…` belongs to a tracked function.
#[cfg(feature = "logging")]
pub(crate) fn is_tracked(callsite: &Identifier) -> bool {
    locked(&WITH_GEN_AI_FIELDS).contains(callsite)
}

/// The callsite of a site.
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

/// A span that is about to be opened, with its id.
#[derive(Clone, Copy, Debug)]
pub struct PendingSpan<'a> {
    site: &'static Site,
    series: &'static CallSeries,
    id: &'a &'a str,
    /// Of a model, as given.
    provider: &'a str,
}

impl<'a> PendingSpan<'a> {
    /// Returns the id, which is the first value of every span.
    pub fn id(&self) -> Option<&'a dyn Value> {
        Some(self.id)
    }

    /// Opens the span with one value for each field, the id first.
    pub fn span(&self, values: &[Option<&dyn Value>]) -> Span {
        let _attached = span_descriptor::attach(|| self.descriptor());
        let metadata = self.site.metadata();
        Span::new(metadata, &metadata.fields().value_set_all(values))
    }
}

impl PendingSpan<'_> {
    fn descriptor(&self) -> SpanDescriptor {
        let &Settings { kind, operation, .. } = &self.site.settings;
        let provider = match kind {
            CallKind::Agent | CallKind::Skill | CallKind::Query => Cow::Borrowed(""),
            CallKind::Model => match self.series.labels.first_values() {
                // The label has no room for the name.
                [OVERFLOW] => Cow::Owned(or_unknown(self.provider).to_owned()),
                [label] => Cow::Borrowed(label),
            },
        };
        SpanDescriptor::Call { callsite: self.site.metadata().callsite(), kind, operation, provider }
    }
}

/// Opens the span of a function without `fields(…)`.
pub fn without_fields(opening: PendingSpan<'_>) -> Span {
    opening.span(&[opening.id()])
}
