//! The process's metrics: a registry to add your own to, and the text of them all.

use prometheus::Registry;

use crate::exposition::scrape_registry::Exposed;

pub use crate::cells::buckets::BucketError;
pub use crate::cells::native::NativeHistogramError;
pub use crate::cells::native::NativeHistograms;

#[cfg(feature = "push")]
pub use crate::push::{PushError, push_once};

/// The media type of [`render`]'s text: the Prometheus text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The process's registry: what you register here is scraped from the same endpoint as ours, and
/// [`gather`](Registry::gather) on it returns ours as well.
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
    Exposed::process().registry()
}

/// Renders every metric of [`registry`] in the Prometheus text format (see [`CONTENT_TYPE`]): families sorted
/// by name, samples by label values, a line feed at the end.
///
/// Totals are exact and never step back from one rendering to the next. A call under an id that its function has used
/// before does not wait for it; one that looks its id up may, while new series are sorted.
pub fn render() -> String {
    String::from_utf8(Exposed::process().render())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
