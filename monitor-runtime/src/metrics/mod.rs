//! The process's metrics: their configuration, the registry for your own metrics, and the text of all of them.

mod builder;

use prometheus::Registry;

use crate::exposition::scrape_registry::ScrapeRegistry;

pub use crate::cells::buckets::BucketError;
pub use crate::cells::native::NativeHistogramError;
pub use crate::cells::native::NativeHistograms;
pub use crate::families::settings::MetricsError;
pub use builder::{MetricsBuilder, builder};

#[cfg(feature = "push")]
pub use crate::push::{PushError, push_once};

/// The media type of [`render`]'s text: the Prometheus text format, version 0.0.4.
pub const CONTENT_TYPE: &str = crate::exposition::format::TEXT_CONTENT_TYPE;

/// Returns the process's registry.
///
/// The metrics endpoint shows every metric that you register here. [`gather`](Registry::gather) on it returns this
/// crate's metrics as well.
///
/// ```
/// use monitor_runtime::metrics;
///
/// let jobs = prometheus::IntCounter::new("jobs_total", "Jobs taken from the queue.")?;
/// metrics::registry().register(Box::new(jobs.clone()))?;
/// jobs.inc();
/// assert!(metrics::render().contains("jobs_total 1"));
/// # Ok::<(), prometheus::Error>(())
/// ```
pub fn registry() -> &'static Registry {
    ScrapeRegistry::process().registry()
}

/// Renders every metric of [`registry`] in the Prometheus text format (see [`CONTENT_TYPE`]).
///
/// Families are sorted by name, samples by label values. The text ends with a line feed.
///
/// Totals are exact and never decrease from one rendering to the next. A rendering does not block calls under an id
/// that their function has used before. A call that has to look its id up may wait while new series are sorted.
pub fn render() -> String {
    String::from_utf8(ScrapeRegistry::process().render())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
