//! The parts that all lines of a callsite share, rendered once for each thread.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use tracing::Metadata;

use super::fields::RenderedKey;
use super::layout::Layout;
use super::level::rank;
use super::source;
use crate::call::is_agent;
use crate::logging::genai_spans;

/// The maximum number of callsites that a thread caches; beyond it, the thread clears its cache.
const KEPT: usize = 512;

/// The cached callsites of a thread, by layout and by the address of their metadata, which lives as long as the
/// process.
#[derive(Debug, Default)]
pub(crate) struct CallsiteCache(HashMap<usize, CallsitePrefix, FixedState>);

/// The rendered parts of one callsite.
#[derive(Debug)]
pub(crate) struct CallsitePrefix {
    /// The bytes between the timestamp and the message.
    pub(crate) head: Vec<u8>,
    /// The rendered keys of the fields, in the callsite's order.
    pub(crate) keys: Vec<RenderedKey>,
    pub(crate) kind: SpanKind,
}

/// The kind of a callsite's spans, as far as they need more than their fields bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanKind {
    Plain,
    /// A tracked agent.
    Agent,
    /// A model call of another crate.
    ForeignCall,
}

impl SpanKind {
    fn of(metadata: &Metadata<'_>) -> Self {
        if metadata.is_span() && is_agent(&metadata.callsite()) {
            Self::Agent
        } else if genai_spans::is_callsite(metadata) {
            Self::ForeignCall
        } else {
            Self::Plain
        }
    }
}

impl CallsiteCache {
    /// The prefix of a callsite in a layout, rendered if it is not cached yet.
    ///
    /// The key is the address of the metadata plus the number of the layout. Two metadata do not overlap, so keys are
    /// unique.
    pub(crate) fn get(&mut self, metadata: &'static Metadata<'static>, layout: Layout) -> &CallsitePrefix {
        const { assert!(size_of::<Metadata<'_>>() >= 8, "the numbers of layouts are below 8") };
        let address = std::ptr::from_ref(metadata).addr() + layout.index();
        if self.0.len() >= KEPT && !self.0.contains_key(&address) {
            self.0.clear();
        }
        self.0.entry(address).or_insert_with(|| CallsitePrefix::new(metadata, layout))
    }
}

impl CallsitePrefix {
    fn new(metadata: &Metadata<'_>, layout: Layout) -> Self {
        let mut head = Vec::new();
        layout.write_head(&mut head, rank(*metadata.level()), metadata.target(), source::place(metadata));
        let keys = metadata.fields().iter().map(|field| RenderedKey::new(field.name())).collect();
        Self { head, keys, kind: SpanKind::of(metadata) }
    }
}
