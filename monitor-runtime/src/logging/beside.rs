//! The subscriber of a process that exports its spans beside its lines: a registry with a layer for each.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;

use super::filter::LogFilter;
use super::layer::{Lines, LogLayer, Sink};
use crate::otlp::SpanLayer;

/// A layer that takes nothing: it says that the subscriber it is part of is the process's.
pub(super) struct Everywhere;

impl Layer<Registry> for Everywhere {}

/// Makes both the process's.
pub(super) fn install<K: Sink>(
    lines: Lines<K>,
    filter: LogFilter,
    spans: SpanLayer,
) -> Result<(), SetGlobalDefaultError> {
    let registry = Registry::default().with(Everywhere.with_filter(LevelFilter::OFF));
    set_global_default(registry.with(spans.filtered()).with(LogLayer::new(lines).with_filter(filter)))
}
