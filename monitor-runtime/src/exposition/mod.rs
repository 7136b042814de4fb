//! The exposition formats: text, OpenMetrics, protobuf, and the data model of `prometheus`.

pub(crate) mod contents;
pub(crate) mod foreign;
mod foreign_text;
pub(crate) mod format;
mod names;
#[cfg(feature = "health")]
pub(crate) mod negotiate;
mod open_metrics;
mod prometheus_collector;
mod protobuf;
pub(crate) mod registration;
mod registry_labels;
pub(crate) mod scrape_registry;
#[cfg(feature = "health")]
mod scrapes;
mod single_flight;
mod text;
